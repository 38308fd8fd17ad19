//! `static_pull`.

use std::collections::HashMap;

use bstr::BString;

use crate::conf::{Args, Arity, Problem, Scene, Span, Value};
use crate::module::relay::target::Relay;

/// A stream that is pulled all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPull(pub Relay);

/// The streams pulled so far: domain, application, name.
#[derive(Default)]
struct Pulled(HashMap<[BString; 3], Span>);

impl Value for StaticPull {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        format!("{} (domain=, app= and name= are needed)", Relay::syntax())
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<StaticPull, Problem> {
        let relay = Relay::parse(args, scene)?;
        let (Some(domain), Some(app), Some(name)) = (&relay.domain, &relay.app, &relay.name) else {
            return Err(args.refuse("needs domain=, app= and name="));
        };
        let key = [domain.clone(), app.clone(), name.clone()];
        if let Some(first) = scene.notes.of::<Pulled>().0.insert(key, args.span()) {
            return Err(args.refuse("is duplicate").label(first, "first given here"));
        }
        Ok(StaticPull(relay))
    }
}
