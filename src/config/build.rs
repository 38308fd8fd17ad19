//! Builds the model from evaluated blocks.

use super::builder::Builder;
use super::http::build_http;
use super::model::{Config, Http, Paths, Rtmp};
use super::report::Report;
use super::rtmp::build_rtmp;
use crate::directive::conclusion::WholeConfig;
use crate::directive::context::{EVENTS, HTTP, MAIN, RTMP};
use crate::directive::evaluate::{Block, Evaluated};
use crate::directive::evaluation::DetachedEvaluation;
use crate::directive::registry::Registry;
use crate::directive::{BaseDirectories, Values};
use crate::log::level::OwnLevel;
use crate::log::sink::spec::NotedSinks;
use crate::syntax::Problem;

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

    let log_sinks = builder.detached.notes.take::<NotedSinks>().into_specs();
    let own_log_level = builder.detached.notes.take::<OwnLevel>().0;
    let reports = builder.detached.reports;
    let has_errors = reports.has_errors();
    let (more_errors, _) = reports.left_out();
    let diagnostics = reports.into_sorted();
    match parts {
        Some(parts) if !has_errors => {
            let ModelParts { values, events, rtmp, http } = parts;
            Ok(Config {
                values,
                events,
                rtmp,
                http,
                sources,
                tree,
                paths,
                warnings: diagnostics,
                log_sinks,
                own_log_level,
            })
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
    /// Builds all parts from the main block.
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
        let http_addresses: Vec<_> = http.iter().flat_map(|http| &http.listeners).map(|l| &l.addr).collect();
        let mut whole = WholeConfig {
            notes,
            events,
            rtmp_addresses: &rtmp_addresses,
            http_addresses: &http_addresses,
            sockets,
        };
        for conclude in self.registry.modules().iter().flat_map(|module| module.conclusions) {
            for problem in conclude(&mut whole) {
                self.detached.reports.add(u32::MAX, problem);
            }
        }
    }
}
