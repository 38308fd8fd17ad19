//! Conditions of `if`.
//!
//! The parentheses are ordinary characters at the beginning of the first word and the end of the last one.

use bstr::{BString, ByteSlice};

use crate::directive::{Args, Arity, Evaluation, Pattern, Value};
use crate::http::variable::{Template, VariableNames};
use crate::syntax::{Problem, Word, sentence};

/// Condition about a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `$variable`: neither empty nor `0`.
    True(BString),
    /// `$variable = text`; `!=` if negated.
    Equal(BString, Template, bool),
    /// `$variable ~ regex`; `!~` if negated.
    Match(BString, Pattern, bool),
    /// `-f`, `-d`, `-e` or `-x` with a path; `!` if negated.
    File(u8, Template, bool),
}

impl Value for Condition {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "( $variable | $variable = text | $variable != text | $variable [!]~[*] regex | [!]-f|-d|-e|-x path )"
            .into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Condition, Problem> {
        let words = bare(args)?;
        let Some((first, rest)) = words.split_first() else { return Err(invalid(b")", args.first())) };
        let (text, word) = first;
        if let [b'$', name @ ..] = text
            && !name.is_empty()
        {
            return variable(name, word, rest, evaluation);
        }
        let (negated, test) = match text {
            [b'!', test @ ..] => (true, test),
            test => (false, *test),
        };
        let ([b'-', kind @ (b'f' | b'd' | b'e' | b'x')], [(path, path_word)]) = (test, rest) else {
            return Err(invalid(text, word));
        };
        Ok(Condition::File(*kind, Template::compile(path_word, path, evaluation)?, negated))
    }
}

/// A word without its parenthesis, and the word itself.
type BareWord<'a> = (&'a [u8], &'a Word);

fn variable(
    name: &[u8],
    word: &Word,
    rest: &[BareWord<'_>],
    evaluation: &mut Evaluation<'_>,
) -> Result<Condition, Problem> {
    evaluation.notes.of::<VariableNames>().used(name, word.span);
    let spelled = name;
    let name: BString = name.to_ascii_lowercase().into();
    let ((operator, operator_word), (operand, operand_word)) = match rest {
        [] => return Ok(Condition::True(name)),
        [operator, operand] => (operator, operand),
        _ => return Err(invalid(&sentence(&[b"$", spelled]), word)),
    };
    let (negated, caseless) = (operator.starts_with(b"!"), operator.ends_with(b"*"));
    match *operator {
        b"=" | b"!=" => {
            Ok(Condition::Equal(name, Template::compile(operand_word, operand, evaluation)?, negated))
        }
        b"~" | b"~*" | b"!~" | b"!~*" => {
            let pattern = Pattern::compile(operand_word, operand, caseless)?;
            VariableNames::define_groups(&pattern, operand_word, evaluation)?;
            Ok(Condition::Match(name, pattern, negated))
        }
        _ => Err(unexpected(operator, operator_word)),
    }
}

/// The words without parentheses.
fn bare<'a>(args: &Args<'a>) -> Result<Vec<BareWord<'a>>, Problem> {
    let mut words: Vec<BareWord<'a>> = args.words.iter().map(|word| (&word.bytes[..], word)).collect();
    let help = "a condition stands in parentheses";
    match words.first_mut() {
        Some((text, _)) if text.starts_with(b"(") => *text = &text[1..],
        _ => return Err(invalid(&args.first().bytes, args.first()).help(help)),
    }
    match words.last_mut() {
        Some((text, _)) if text.ends_with(b")") => *text = &text[..text.len() - 1],
        Some((_, word)) => return Err(invalid(&word.bytes, word).help(help)),
        None => {}
    }
    // A parenthesis may also be a separate word.
    if words.first().is_some_and(|(text, _)| text.is_empty()) {
        words.remove(0);
    }
    if words.len() > 1 && words.last().is_some_and(|(text, word)| text.is_empty() && &word.bytes[..] == b")")
    {
        words.pop();
    }
    Ok(words)
}

fn invalid(text: &[u8], word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid condition \"", text, b"\""])).at(word.span)
}

fn unexpected(operator: &[u8], word: &Word) -> Problem {
    let text = sentence(&[b"unexpected \"", operator, b"\" in condition"]);
    let problem = Problem::new(text).at(word.span);
    if operator.as_bstr() == "==" {
        return problem.help("equality is written with one `=`");
    }
    problem.help("accepted: =, !=, ~, ~*, !~, !~*")
}
