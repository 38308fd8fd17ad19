//! Blocks become the model.

use super::http::build_http;
use super::load::Report;
use super::model::{Config, Paths};
use super::rtmp::build_rtmp;
use crate::directive::context::{Contexts, EVENTS, HTTP, MAIN, RTMP};
use crate::directive::evaluate::{Block, Evaluated, resolve};
use crate::directive::evaluation::{DefaultEvaluation, SharedFacts};
use crate::directive::registry::Registry;
use crate::directive::slot::Layer;
use crate::directive::{BaseDirectories, Resolve, ServerName, Values};
use crate::http::handler::RtmpAddresses;
use crate::http::variable::VariableNames;
use crate::module::limit::zone::Zones;
use crate::syntax::report::Reports;
use crate::syntax::{Pos, Problem, Sources, Span};

/// What the builders of the parts share.
pub(super) struct Builder<'a> {
    sources: &'a Sources,
    bases: &'a BaseDirectories,
    registry: &'a Registry,
    default_evaluation: DefaultEvaluation,
    pub(super) reports: Reports,
}

/// Builds the model of an evaluated configuration.
pub(super) fn build(
    evaluated: Evaluated,
    registry: &Registry,
    bases: &BaseDirectories,
    paths: Paths,
) -> Result<Config, Report> {
    let Evaluated { main, sources, tree, mut notes, reports } = evaluated;
    let mut builder =
        Builder { sources: &sources, bases, registry, default_evaluation: DefaultEvaluation::new(), reports };
    // Broken blocks would only give misleading complaints about what is missing in them.
    let parts = (!builder.reports.has_errors()).then(|| builder.parts(&main, &mut notes));

    let Builder { reports, .. } = builder;
    let has_errors = reports.has_errors();
    let (more_errors, _) = reports.left_out();
    let diagnostics = reports.into_sorted();
    match parts {
        Some(parts) if !has_errors => {
            let ModelParts { values, events, rtmp, http } = parts;
            Ok(Config { values, events, rtmp, http, sources, tree, paths, warnings: diagnostics })
        }
        _ => Err(Report { diagnostics, sources, more_errors }),
    }
}

/// The model without what is known beforehand.
struct ModelParts {
    values: Values<MAIN>,
    events: Values<EVENTS>,
    rtmp: Option<super::model::Rtmp>,
    http: Option<super::model::Http>,
}

impl Builder<'_> {
    fn parts(&mut self, main: &Block, notes: &mut SharedFacts) -> ModelParts {
        let events = main.inner(EVENTS).next();
        if events.is_none() {
            let problem = Problem::new("no \"events\" section in configuration");
            self.reports.add(u32::MAX, problem.help("add `events { }`"));
        }
        let rtmp_blocks: Vec<&Block> = main.inner(RTMP).collect();
        let rtmp = (!rtmp_blocks.is_empty()).then(|| build_rtmp(self, &rtmp_blocks));
        let http = main.inner(HTTP).next().map(|block| build_http(self, block));
        self.check_relations(&notes.take::<RtmpAddresses>(), rtmp.as_ref());
        let mut variables = notes.take::<VariableNames>();
        for name in http.iter().flat_map(|h| &h.servers).flat_map(|s| &s.names) {
            if let ServerName::Regex(pattern) = name {
                pattern.group_names().iter().for_each(|group| variables.define(group));
            }
        }
        for problem in variables.unknown() {
            self.reports.add(u32::MAX, problem);
        }
        for problem in notes.take::<Zones>().unknown() {
            self.reports.add(u32::MAX, problem);
        }
        let events: Values<EVENTS> = self.values(&[events.unwrap_or(main)], &[]);
        let sockets =
            rtmp.as_ref().map_or(0, |r| r.listeners.len()) + http.as_ref().map_or(0, |h| h.listeners.len());
        let connections = events.get::<crate::server::events::conf::Conf>().worker_connections.0;
        // One for each of them, and one more.
        if connections <= sockets as u64 {
            let text =
                format!("{connections} worker_connections are not enough for {sockets} listening sockets");
            self.reports.add(u32::MAX, Problem::new(text));
        }
        ModelParts { values: self.values(&[main], &[]), events, rtmp, http }
    }

    /// Checks that the addresses of live locations are rtmp addresses.
    fn check_relations(&mut self, relations: &RtmpAddresses, rtmp: Option<&super::model::Rtmp>) {
        for relation in &relations.0 {
            if rtmp.is_some_and(|rtmp| rtmp.servers_on(&relation.value.addr).is_some()) {
                continue;
            }
            let text = [b"Can not find relation port: ", &relation.value.spelled[..]].concat();
            let problem = Problem::new(text).at(relation.span).place(relation.place);
            let known: Vec<String> =
                rtmp.iter().flat_map(|rtmp| rtmp.addresses()).map(ToString::to_string).collect();
            let help = match known.as_slice() {
                [] => "there is no rtmp server".into(),
                known => format!("rtmp servers listen on: {}", known.join(", ")),
            };
            self.reports.add(u32::MAX, problem.help(help));
        }
    }

    /// Resolves a module's values, the innermost block first.
    pub(super) fn resolve<C: Resolve>(&mut self, blocks: &[&Block]) -> C {
        resolve(blocks, &mut self.default_evaluation.evaluation(self.sources, self.bases))
    }

    /// The values of a block, the innermost block first; `together` are the blocks that count as one with it.
    pub(super) fn values<const HOLDER: Contexts>(
        &mut self,
        blocks: &[&Block],
        together: &[&Block],
    ) -> Values<HOLDER> {
        let mut evaluation = self.default_evaluation.evaluation(self.sources, self.bases);
        let values = self.registry.values(blocks, together, &mut evaluation);
        self.check(blocks, &values);
        values
    }

    /// The values of a block inside another one.
    pub(super) fn inner_values<const HOLDER: Contexts>(
        &mut self,
        outer: &Layer<HOLDER>,
        blocks: &[&Block],
    ) -> Values<HOLDER> {
        let mut evaluation = self.default_evaluation.evaluation(self.sources, self.bases);
        let values = self.registry.inner_values(outer, blocks, &mut evaluation);
        self.check(blocks, &values);
        values
    }

    /// Reports what modules find wrong with the values of a block.
    fn check<const HOLDER: Contexts>(&mut self, blocks: &[&Block], values: &Values<HOLDER>) {
        let Some(block) = blocks.first().filter(|block| block.context == HOLDER) else { return };
        for problem in self.registry.complaints(values) {
            self.refuse(block, problem);
        }
    }

    /// The file and line of a span.
    pub(super) fn pos(&self, span: Span) -> Pos {
        self.sources.pos(span)
    }

    /// Reports a problem about a block.
    pub(super) fn refuse(&mut self, block: &Block, problem: Problem) {
        self.reports.add(block.order, problem.at(block.span).place(block.place));
    }
}
