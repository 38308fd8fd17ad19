//! `load_module` and `worker_cpu_affinity`.

use std::path::PathBuf;

use crate::directive::uses_modules::UsesModules;
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// File of a module; nothing is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadModule(pub PathBuf);

/// Processors for each worker; only validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuAffinity;

impl Value for LoadModule {
    fn syntax() -> String {
        "file".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LoadModule, Problem> {
        if UsesModules::seen(evaluation) {
            let help = "it stands before `events`, `http` and `rtmp`";
            return Err(args.refuse("is specified too late").help(help));
        }
        let problem = Problem::warning("\"load_module\" loads nothing").at(args.span());
        evaluation.report(problem.help("modules of nginx cannot be loaded; what is supported is built in"));
        Ok(LoadModule(evaluation.under_prefix(&args.first().bytes)))
    }
}

impl Value for CpuAffinity {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "auto [mask] | mask ...".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<CpuAffinity, Problem> {
        let masks = match args.words {
            [auto, masks @ ..] if &auto.bytes[..] == b"auto" => {
                if masks.len() > 1 {
                    let text =
                        sentence(&[b"invalid number of arguments in \"", &args.name.bytes, b"\" directive"]);
                    return Err(Problem::new(text).at(args.span()));
                }
                masks
            }
            masks => masks,
        };
        for mask in masks {
            let Some(at) = mask.bytes.iter().position(|b| !matches!(b, b'0' | b'1' | b' ')) else { continue };
            let what = &mask.bytes[at..=at];
            let text = sentence(&[b"invalid character \"", what, b"\" in \"", &args.name.bytes, b"\""]);
            let help = "a mask has a 1 for each processor that is used, the first one last, such as 0101";
            return Err(Problem::new(text).at(mask.span_of(what)).help(help));
        }
        Ok(CpuAffinity)
    }
}
