//! `pingosd top`: streams and their clients, live in a terminal.

use std::cmp::Reverse;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table, TableState};

use super::streams::{Client, Overview, Row as StreamRow, duration, rate, shown};
use super::task::CommandError;
use crate::log::counted;

/// Interval between two looks at the server.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for a key.
const KEY_WAIT: Duration = Duration::from_millis(200);

/// Order of the streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    #[default]
    Out,
    In,
    Clients,
    Name,
    Time,
}

/// What is shown.
#[derive(Default)]
struct View {
    overview: Overview,
    /// Why the last look failed.
    failure: Option<String>,
    order: Order,
    /// Whether the order is turned round.
    is_reversed: bool,
    /// Server, application and name of the chosen stream.
    chosen: Option<[String; 3]>,
}

/// Shows what `look` returns until a key ends it.
pub(super) fn run(
    mut look: impl FnMut() -> Result<Overview, CommandError>,
) -> Result<ExitCode, CommandError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(CommandError::Text(
            b"top needs a terminal; `pingosd status streams` prints a list".to_vec(),
        ));
    }
    // A server that does not answer at the beginning is an error; later it may be restarting.
    let overview = look().map_err(|error| CommandError::Text(error.text().into()))?;
    let mut view = View { overview, ..View::default() };
    let mut terminal = ratatui::try_init()?;
    let shown = show(&mut terminal, &mut view, &mut look);
    ratatui::try_restore()?;
    shown?;
    Ok(ExitCode::SUCCESS)
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    view: &mut View,
    look: &mut impl FnMut() -> Result<Overview, CommandError>,
) -> io::Result<()> {
    let mut next = Instant::now() + INTERVAL;
    loop {
        terminal.draw(|frame| view.draw(frame))?;
        if event::poll(KEY_WAIT)?
            && let Event::Key(key) = event::read()?
            && view.handle_key(key)
        {
            return Ok(());
        }
        if Instant::now() >= next {
            match look() {
                Ok(overview) => (view.overview, view.failure) = (overview, None),
                Err(error) => view.failure = Some(error.text()),
            }
            next = Instant::now() + INTERVAL;
        }
    }
}

impl Order {
    fn next(self) -> Self {
        match self {
            Order::Out => Order::In,
            Order::In => Order::Clients,
            Order::Clients => Order::Name,
            Order::Name => Order::Time,
            Order::Time => Order::Out,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Order::Out => "out",
            Order::In => "in",
            Order::Clients => "clients",
            Order::Name => "name",
            Order::Time => "time",
        }
    }
}

impl View {
    /// Carries out a key; returns whether it ends the program.
    fn handle_key(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('s') => self.order = self.order.next(),
            KeyCode::Char('r') => self.is_reversed = !self.is_reversed,
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            KeyCode::PageDown => self.choose(10),
            KeyCode::PageUp => self.choose(-10),
            KeyCode::Home => self.choose(isize::MIN),
            KeyCode::End => self.choose(isize::MAX),
            _ => {}
        }
        false
    }

    /// Moves the choice by so many streams.
    fn choose(&mut self, by: isize) {
        let rows = self.rows();
        let at = self.place(&rows).unwrap_or(0).saturating_add_signed(by).min(rows.len().saturating_sub(1));
        self.chosen = rows.get(at).map(names);
    }

    /// Streams in their order.
    fn rows(&self) -> Vec<StreamRow<'_>> {
        let mut rows: Vec<StreamRow<'_>> = self.overview.rows().collect();
        // The sort is stable: equal ones stay in the order of their names.
        match self.order {
            Order::Out => rows.sort_by_key(|row| Reverse(row.stream.bw_out)),
            Order::In => rows.sort_by_key(|row| Reverse(row.stream.bw_in)),
            Order::Clients => rows.sort_by_key(|row| Reverse(row.stream.nclients)),
            Order::Name => rows.sort_by_key(|row| (&row.stream.name, row.app, row.server)),
            Order::Time => rows.sort_by_key(|row| Reverse(row.stream.time)),
        }
        if self.is_reversed {
            rows.reverse();
        }
        rows
    }

    /// Place of the chosen stream, which stays chosen when the order changes.
    fn place(&self, rows: &[StreamRow<'_>]) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        rows.iter().position(|row| names(row) == *chosen)
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let rows = self.rows();
        let place = self.place(&rows).or(Some(0)).filter(|_| !rows.is_empty());
        let clients = place.map(|at| rows[at].stream.clients.as_slice()).unwrap_or_default();
        let most = u16::try_from(clients.len()).unwrap_or(u16::MAX).saturating_add(1);
        let below = most.min(frame.area().height / 2);
        let areas = Layout::vertical([
            Constraint::Length(2),
            Constraint::Fill(1),
            Constraint::Length(below),
            Constraint::Length(1),
        ]);
        let [head, streams, sessions, foot] = areas.areas(frame.area());
        self.draw_head(frame, head, &rows);
        draw_streams(frame, streams, &rows, place);
        draw_clients(frame, sessions, clients);
        let (order, turned) = (self.order.name(), if self.is_reversed { ", reversed" } else { "" });
        let keys = format!("q quit  s sort: {order}{turned}  r reverse  \u{2191}\u{2193} choose");
        frame.render_widget(Line::from(keys).style(Style::new().add_modifier(Modifier::DIM)), foot);
    }

    fn draw_head(&self, frame: &mut Frame<'_>, area: Rect, rows: &[StreamRow<'_>]) {
        let root = &self.overview.rtmp;
        let clients: usize = rows.iter().map(|row| row.stream.nclients).sum();
        let first = format!(
            "pingosd process {}, up {}, generation {}, {} connections accepted",
            root.pid,
            duration(root.uptime * 1000),
            root.generation,
            root.naccepted,
        );
        let second = match &self.failure {
            Some(why) => shown(why),
            None => format!(
                "{}, {}, in {}, out {}",
                counted(rows.len() as u64, "stream"),
                counted(clients as u64, "client"),
                rate(root.bw_in),
                rate(root.bw_out)
            ),
        };
        let [upper, lower] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
        frame.render_widget(Line::from(first), upper);
        frame.render_widget(Line::from(second), lower);
    }
}

fn names(row: &StreamRow<'_>) -> [String; 3] {
    [row.server.to_owned(), row.app.to_owned(), row.stream.name.clone()]
}

fn draw_streams(frame: &mut Frame<'_>, area: Rect, rows: &[StreamRow<'_>], place: Option<usize>) {
    let lines = rows.iter().map(|row| {
        let StreamRow { app, stream, .. } = row;
        let state = if stream.publishing { "live" } else { "idle" };
        Row::new([
            Cell::from(shown(app)),
            Cell::from(shown(&stream.name)),
            Cell::from(state),
            Cell::from(stream.nclients.to_string()),
            Cell::from(rate(stream.bw_in)),
            Cell::from(rate(stream.bw_out)),
            Cell::from(stream.media()),
            Cell::from(duration(stream.time)),
        ])
    });
    let widths = [
        Constraint::Max(16),
        Constraint::Fill(2),
        Constraint::Length(5),
        Constraint::Length(7),
        Constraint::Length(13),
        Constraint::Length(13),
        Constraint::Fill(2),
        Constraint::Length(8),
    ];
    let table = Table::new(lines, widths)
        .header(header(["APP", "STREAM", "STATE", "CLIENTS", "IN", "OUT", "MEDIA", "TIME"]))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(place));
}

fn draw_clients(frame: &mut Frame<'_>, area: Rect, clients: &[Client]) {
    let lines = clients.iter().map(|client| {
        Row::new([
            Cell::from(client.id.to_string()),
            Cell::from(client.role()),
            Cell::from(shown(&client.protocol)),
            Cell::from(shown(&client.remote_address)),
            Cell::from(rate(client.rate())),
            Cell::from(client.dropped.to_string()),
            Cell::from(duration(client.time)),
        ])
    });
    let widths = [
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Fill(1),
        Constraint::Length(13),
        Constraint::Length(8),
        Constraint::Length(8),
    ];
    let table = Table::new(lines, widths)
        .header(header(["CLIENT", "ROLE", "PROTOCOL", "ADDRESS", "RATE", "SKIPPED", "TIME"]));
    frame.render_widget(table, area);
}

fn header<const N: usize>(names: [&'static str; N]) -> Row<'static> {
    Row::new(names.map(Cell::from)).style(Style::new().add_modifier(Modifier::BOLD))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::cli::command::streams::sample;

    fn screen(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let cells = buffer.content().chunks(usize::from(width));
        cells.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>()).collect()
    }

    fn press(view: &mut View, code: KeyCode) -> bool {
        view.handle_key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn streams_stand_above_the_clients_of_the_chosen_one() {
        let mut view = View { overview: sample(), ..View::default() };
        let lines = screen(&view, 120, 14);
        assert!(lines[0].starts_with("pingosd process 7, up 1h 1m"), "{lines:#?}");
        assert!(lines[1].starts_with("2 streams, 3 clients, in 4.2 Mbit/s"), "{lines:#?}");
        assert!(lines[2].contains("STREAM") && lines[3].contains("a\u{fffd}[31m"), "{lines:#?}");
        assert!(
            lines.iter().any(|line| line.contains("192.0.2.2:6") && line.contains("player")),
            "{lines:#?}"
        );
        assert!(lines[13].starts_with("q quit  s sort: out"), "{lines:#?}");
        press(&mut view, KeyCode::Down);
        let lines = screen(&view, 120, 14);
        assert!(lines.iter().any(|line| line.contains("192.0.2.3:7")), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("192.0.2.2:6")), "{lines:#?}");
    }

    #[test]
    fn keys_sort_and_end() {
        let mut view = View { overview: sample(), ..View::default() };
        press(&mut view, KeyCode::End);
        assert_eq!(view.chosen.as_ref().unwrap()[2], "b");
        for _ in 0..3 {
            press(&mut view, KeyCode::Char('s'));
        }
        press(&mut view, KeyCode::Char('r'));
        assert_eq!((view.order, view.rows()[0].stream.name.as_str()), (Order::Name, "b"));
        assert_eq!(view.place(&view.rows()), Some(0), "the chosen stream stays chosen");
        press(&mut view, KeyCode::PageUp);
        assert!(!press(&mut view, KeyCode::Char('x')) && press(&mut view, KeyCode::Char('q')));
        assert!(view.handle_key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    }

    #[test]
    fn any_size_of_a_terminal_is_drawn() {
        let mut empty = View { failure: Some("no server\u{1b}".into()), ..View::default() };
        press(&mut empty, KeyCode::Down);
        let full = View { overview: sample(), ..View::default() };
        for (width, height) in [(1, 1), (10, 2), (20, 5), (300, 100)] {
            screen(&empty, width, height);
            screen(&full, width, height);
        }
        assert!(screen(&empty, 80, 10)[1].starts_with("no server\u{fffd}"));
    }
}
