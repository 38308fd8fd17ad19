//! Builds the model from evaluated blocks.

use super::http::build_http;
use super::load::Report;
use super::model::{Config, Http, Paths, Rtmp};
use super::rtmp::build_rtmp;
use crate::directive::conclusion::Whole;
use crate::directive::context::{Contexts, EVENTS, HTTP, MAIN, RTMP};
use crate::directive::evaluate::{Block, Evaluated};
use crate::directive::evaluation::DetachedEvaluation;
use crate::directive::registry::Registry;
use crate::directive::slot::Layer;
use crate::directive::{BaseDirectories, Values};
use crate::syntax::report::Reports;
use crate::syntax::{Pos, Problem, Sources, Span};

/// Data shared by the builders of the parts.
pub(super) struct Builder<'a> {
    registry: &'a Registry,
    sources: &'a Sources,
    bases: &'a BaseDirectories,
    detached: DetachedEvaluation,
}

/// Builds the model of an evaluated configuration.
pub(super) fn build(
    evaluated: Evaluated,
    registry: &Registry,
    bases: &BaseDirectories,
    paths: Paths,
) -> Result<Config, Report> {
    let Evaluated { main, sources, tree, notes, reports } = evaluated;
    let detached = DetachedEvaluation::new(notes, reports);
    let mut builder = Builder { registry, sources: &sources, bases, detached };
    // Incomplete blocks would cause misleading errors about missing parts.
    let parts = (!builder.reports().has_errors()).then(|| builder.parts(&main));

    let reports = builder.detached.reports;
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

/// The model without the values that are known beforehand.
struct ModelParts {
    values: Values<MAIN>,
    events: Values<EVENTS>,
    rtmp: Option<Rtmp>,
    http: Option<Http>,
}

impl Builder<'_> {
    fn parts(&mut self, main: &Block) -> ModelParts {
        let events = main.inner(EVENTS).next();
        if events.is_none() {
            let problem = Problem::new("no \"events\" section in configuration");
            self.reports().add(u32::MAX, problem.help("add `events { }`"));
        }
        let rtmp_blocks: Vec<&Block> = main.inner(RTMP).collect();
        let rtmp = (!rtmp_blocks.is_empty()).then(|| build_rtmp(self, &rtmp_blocks));
        let http = main.inner(HTTP).next().map(|block| build_http(self, block));
        let events: Values<EVENTS> = self.values(&[events.unwrap_or(main)], &[]);
        self.conclude(&events, rtmp.as_ref(), http.as_ref());
        ModelParts { values: self.values(&[main], &[]), events, rtmp, http }
    }

    /// Runs the modules' checks of the whole configuration.
    fn conclude(&mut self, events: &Values<EVENTS>, rtmp: Option<&Rtmp>, http: Option<&Http>) {
        let rtmp_addresses: Vec<_> = rtmp.iter().flat_map(|rtmp| rtmp.addresses()).collect();
        let sockets = rtmp.map_or(0, |rtmp| rtmp.listeners.len()) + http.map_or(0, |h| h.listeners.len());
        let notes = &mut self.detached.notes;
        let mut whole = Whole { notes, events, rtmp_addresses: &rtmp_addresses, sockets };
        for conclude in self.registry.modules().iter().flat_map(|module| module.conclusions) {
            for problem in conclude(&mut whole) {
                self.detached.reports.add(u32::MAX, problem);
            }
        }
    }

    /// Errors and warnings found so far.
    pub(super) fn reports(&mut self) -> &mut Reports {
        &mut self.detached.reports
    }

    /// Values of a block; `blocks` are given innermost first, `together` are the blocks that are merged with it.
    pub(super) fn values<const HOLDER: Contexts>(
        &mut self,
        blocks: &[&Block],
        together: &[&Block],
    ) -> Values<HOLDER> {
        let mut evaluation = self.detached.evaluation(self.sources, self.bases);
        let values = self.registry.values(blocks, together, &mut evaluation);
        self.check(blocks, &values);
        values
    }

    /// Values of a nested block.
    pub(super) fn inner_values<const HOLDER: Contexts>(
        &mut self,
        outer: &Layer<HOLDER>,
        blocks: &[&Block],
    ) -> Values<HOLDER> {
        let mut evaluation = self.detached.evaluation(self.sources, self.bases);
        let values = self.registry.inner_values(outer, blocks, &mut evaluation);
        self.check(blocks, &values);
        values
    }

    /// Reports the problems that modules find in the values of a block.
    fn check<const HOLDER: Contexts>(&mut self, blocks: &[&Block], values: &Values<HOLDER>) {
        let Some(block) = blocks.first().filter(|block| block.context == HOLDER) else { return };
        let mut evaluation = self.detached.evaluation(self.sources, self.bases);
        for problem in self.registry.complaints(values) {
            evaluation.refuse(block, problem);
        }
    }

    /// The file and line of a span.
    pub(super) fn pos(&self, span: Span) -> Pos {
        self.sources.pos(span)
    }
}
