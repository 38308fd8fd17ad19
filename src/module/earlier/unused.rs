//! Directives of earlier releases that have no effect, and say so.

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::media::segments::PlaylistKind;
use crate::syntax::Problem;

/// `hls2_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HlsType;

/// `reset_vhost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetVhost;

impl Value for HlsType {
    fn syntax() -> String {
        PlaylistKind::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<HlsType, Problem> {
        if PlaylistKind::parse(args, evaluation)? == PlaylistKind::Event {
            let text = "\"hls2_type event\" has no effect, old fragments leave the playlist";
            let help = "`hls` with `hls_type event` keeps all fragments, in files";
            evaluation.report(Problem::warning(text).at(args.span()).help(help));
        }
        Ok(HlsType)
    }
}

impl Value for ResetVhost {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "word ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ResetVhost, Problem> {
        let text = "\"reset_vhost\" has no effect, players get the server that their request names";
        let help = "list the names in the `server_name` of that server";
        evaluation.report(Problem::warning(text).at(args.span()).help(help));
        Ok(ResetVhost)
    }
}
