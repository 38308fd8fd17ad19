//! Status codes of refusals.

use crate::directive::{Args, Evaluation, Num, Value};
use crate::syntax::Problem;

/// Status code of a refusal, from 400 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitStatus(pub u16);

impl Value for LimitStatus {
    fn syntax() -> String {
        "status".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LimitStatus, Problem> {
        let status = Num::parse(args, evaluation)?;
        if status < 400 {
            return Err(Problem::new("value must be equal to or greater than 400").at(args.span()));
        }
        let status = u16::try_from(status).ok().filter(|s| *s <= 599).map(LimitStatus);
        status.ok_or_else(|| Problem::new("value must be equal to or less than 599").at(args.span()))
    }
}
