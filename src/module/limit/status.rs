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
        let status = u16::try_from(status).ok().filter(|s| (400..=599).contains(s)).map(LimitStatus);
        status.ok_or_else(|| Problem::new("value must be between 400 and 599").at(args.span()))
    }
}
