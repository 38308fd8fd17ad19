//! What is shipped beside the program: manual pages, completions, the unit, the image, the package's files.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pingosd::cli::help::COMMANDS;
use pingosd::cli::{completion, man};
use pingosd::config::{LoadOptions, load};
use pingosd::modules::{LANGUAGE, REGISTRY};

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(packaging(name)).unwrap()
}

/// Runs a program, if this machine has it; `tests/run` installs what is missing.
fn run(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("{program} is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// Compares a file with what the program prints, or writes it.
fn compare(name: &str, want: &str) {
    if std::env::var_os("PINGOSD_BLESS").is_some() && read(name) != want {
        fs::write(packaging(name), want).unwrap();
    }
    assert!(read(name) == want, "packaging/{name} is out of date; PINGOSD_BLESS=1 writes it");
}

#[test]
fn the_manual_pages_are_up_to_date_and_sound() {
    compare("man/pingosd.8", &man::program());
    for page in ["man/pingosd.8", "man/pingosd.conf.5"] {
        let path = packaging(page);
        let Some(output) = run("groff", &["-ww", "-man", "-Tutf8", path.to_str().unwrap()]) else { continue };
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && complaints.is_empty(), "{page}: {complaints}");
        // The formatted page is plain text: no request or escape of roff is left.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            !text.lines().any(|line| line.trim_start().starts_with(".TP") || line.contains("\\f")),
            "{page}"
        );
    }
}

#[test]
fn the_manual_page_has_every_directive() {
    let page = man::directives(&REGISTRY);
    for row in REGISTRY.modules().iter().flat_map(|module| module.rows) {
        let name = row.name().replace('-', "\\-");
        assert!(page.contains(&format!("\\fB{name}\\fR")), "{name}");
    }
}

#[test]
fn the_program_prints_what_is_shipped() {
    for (args, file) in
        [(&["help", "--man"][..], "man/pingosd.8"), (&["completion", "zsh"], "completions/pingosd.zsh")]
    {
        let output = run(support::server::PROGRAM, args).unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout), read(file));
    }
    let unknown = run(support::server::PROGRAM, &["completion", "tcsh"]).unwrap();
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("usage: pingosd completion"), "{unknown:?}");
}

#[test]
fn completions_are_up_to_date_and_sound() {
    for shell in ["bash", "fish", "zsh"] {
        let name = format!("completions/pingosd.{shell}");
        compare(&name, &completion::script(shell).unwrap());
        let Some(output) = run(shell, &["-n", packaging(&name).to_str().unwrap()]) else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}

/// What bash offers for these words, the last of which is being typed.
fn offered(words: &[&str]) -> Vec<String> {
    let script = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; _pingosd; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        packaging("completions/pingosd.bash").display(),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1,
    );
    let output = run("bash", &["--norc", "-c", &script]).expect("bash");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_switches_and_signals() {
    let first = offered(&["pingosd", ""]);
    for command in COMMANDS {
        assert!(first.iter().any(|word| word == command.word), "{}: {first:?}", command.word);
    }
    assert_eq!(offered(&["pingosd", "mig"]), ["migrate-check"]);
    assert_eq!(offered(&["pingosd", "-s", "re"]), ["reopen", "reload"]);
    assert_eq!(offered(&["pingosd", "fmt", "--"]), ["--check", "--write"]);
    assert_eq!(offered(&["pingosd", "ctl", "re"]), ["record", "redirect", "resume"]);
    assert_eq!(offered(&["pingosd", "ctl", "record", "st"]), ["start", "stop"]);
    assert_eq!(offered(&["pingosd", "ctl", "drop", "client", "a"]), ["app=", "addr="]);
}

#[test]
fn the_rpm_has_what_the_stage_has() {
    // Some names are those of such systems.
    let (stage, spec) = (read("stage"), read("rpm/pingosd.spec"));
    for line in stage.lines().filter_map(|line| line.strip_prefix("put 0")) {
        let path = line.rsplit(' ').next().unwrap();
        let path = path.strip_prefix("lib/").map_or(path.to_owned(), |rest| format!("usr/lib/{rest}"));
        let path = path.replace("vendor-completions", "site-functions");
        let is_packed = |packed: &str| format!("/{path}").starts_with(packed) && packed.len() > "/usr/".len();
        let packed = spec.lines().filter_map(|line| line.rsplit(' ').next());
        assert!(packed.into_iter().any(is_packed), "{path}");
    }
}

#[test]
fn fish_completes_commands() {
    let file = packaging("completions/pingosd.fish");
    let script = format!("source {}; complete -C 'pingosd mig'", file.display());
    let Some(output) = run("fish", &["--no-config", "-c", &script]) else { return };
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("migrate-check"), "{output:?}");
}

#[test]
fn the_shipped_configurations_are_accepted_without_a_warning() {
    for name in ["pingosd.conf", "docker.conf"] {
        let config = load(&LoadOptions::choose(&LANGUAGE, None, Some(packaging(name)), Vec::new(), None));
        let config = config.unwrap_or_else(|report| panic!("{name}: {:?}", report.diagnostics));
        assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
    }
}

/// The lines `Name=value` of a unit.
fn unit() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in read("pingosd.service").lines().filter(|line| !line.starts_with(['#', '['])) {
        if let Some((name, value)) = line.split_once('=') {
            found.entry(name.into()).or_default().push(value.into());
        }
    }
    found
}

#[test]
fn the_unit_has_no_privileges_but_low_ports() {
    let unit = unit();
    let one = |name: &str| unit.get(name).and_then(|values| values.first()).map_or("", String::as_str);
    for (name, value) in [
        ("Type", "notify"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("AmbientCapabilities", "CAP_NET_BIND_SERVICE"),
        ("CapabilityBoundingSet", "CAP_NET_BIND_SERVICE"),
    ] {
        assert_eq!(one(name), value, "{name}");
    }
    assert!(one("User") != "root" && !one("User").is_empty());
    assert!(one("ExecReload").contains(" -s reload "), "a reload that is refused fails");
    // What the unit makes is what its configuration writes to.
    let conf = read("pingosd.conf");
    assert!(conf.contains(&format!("pid /run/{}/", one("RuntimeDirectory"))));
    assert!(conf.contains(&format!("error_log /var/log/{}/", one("LogsDirectory"))));
}

#[test]
fn systemd_accepts_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    // The program and the pages are not installed here; all else is checked.
    let text = read("pingosd.service")
        .replace("/usr/sbin/pingosd", support::server::PROGRAM)
        .replace("Documentation=", "#Documentation=");
    let path = dir.path().join("pingosd.service");
    fs::write(&path, text).unwrap();
    let Some(output) = run("systemd-analyze", &["verify", "--man=no", path.to_str().unwrap()]) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("pingosd.service:"), "{said}");
}

#[test]
fn the_image_runs_the_program_without_root() {
    let file = read("Dockerfile").replace("\\\n", " ");
    let lines: Vec<(&str, &str)> =
        file.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' ')).collect();
    let of = |name: &str| lines.iter().filter(|(n, _)| *n == name).map(|(_, rest)| *rest).collect::<Vec<_>>();
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    assert!(lines.iter().all(|(name, _)| known.contains(name)), "{lines:?}");
    let images = of("FROM");
    assert!(
        images.iter().all(|image| image.contains(':') && !image.contains(":latest")),
        "pinned: {images:?}"
    );
    assert!(images.last().unwrap().contains("distroless"));
    assert!(of("USER").last().is_some_and(|user| !user.starts_with('0') && *user != "root"));
    // There is no shell: every command is a list, of the program that the image has.
    let (_, health) = of("HEALTHCHECK")[0].split_once(" CMD ").unwrap();
    let [program, run, health] = [of("ENTRYPOINT")[0], of("CMD")[0], health]
        .map(|list| serde_json::from_str::<Vec<String>>(list.trim()).unwrap());
    assert!(program.len() == 1 && file.contains(&format!("/image{} ", program[0])), "{program:?}");
    // It asks the server that is run, with the same prefix and file.
    assert_eq!(health[..2], [program[0].as_str(), "status"]);
    assert_eq!(health[2..], run);
    assert!(file.contains(&format!("/image{} ", run[3])), "{run:?}");
    for source in file.split_whitespace().filter(|word| word.starts_with("packaging/")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(source).exists(), "{source}");
    }
}

#[test]
fn scripts_are_sound() {
    for name in ["upgrade", "deb/postinst", "deb/prerm", "deb/postrm"] {
        let output = run("sh", &["-n", packaging(name).to_str().unwrap()]).expect("sh");
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
    }
    for name in ["architecture", "stage", "deb/build", "deb/depends", "rpm/build", "release"] {
        let output = run("bash", &["-n", packaging(name).to_str().unwrap()]).expect("bash");
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
    }
}

/// The list of licences that packages contain, made in the tree of the sources `root`.
fn licences(root: &Path) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list");
    let script = root.join("packaging/licences");
    let output = run(script.to_str().unwrap(), &[list.to_str().unwrap()]).expect("packaging/licences");
    match output.status.success() {
        true => Ok(fs::read_to_string(list).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn every_crate_is_in_the_list_of_licences() {
    let list = licences(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let cargo = env!("CARGO");
    let tree = [
        "tree",
        "--locked",
        "--features=cluster",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
        "--target=x86_64-unknown-linux-gnu",
        "--target=aarch64-unknown-linux-gnu",
    ];
    let output = Command::new(cargo).current_dir(env!("CARGO_MANIFEST_DIR")).args(tree).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: Vec<_> =
        tree.lines().filter(|line| !line.is_empty() && !line.starts_with("pingosd v")).collect();
    assert!(crates.len() > 100, "{tree}");
    for line in crates {
        let mut words = line.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap().strip_prefix('v').unwrap());
        let start = format!("\n{name} {version} | ");
        assert!(list.contains(&start), "{line} is not in the list");
    }
    // The C in crates, and the console's players, have licences of their own.
    for of in [
        "the jemalloc source distribution",
        "University of Cambridge",
        "Zoltan Herczeg",
        "Dailymotion",
        "es6-promise",
    ] {
        assert!(list.contains(of), "no text names {of}");
    }
}

#[test]
fn a_licence_that_is_not_allowed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "target" && name != "packaging" && name != "deny.toml" {
            std::os::unix::fs::symlink(root.join(&name), dir.path().join(&name)).unwrap();
        }
    }
    fs::create_dir(dir.path().join("packaging")).unwrap();
    fs::copy(packaging("licences"), dir.path().join("packaging/licences")).unwrap();
    let allowed = fs::read_to_string(root.join("deny.toml")).unwrap();
    fs::write(dir.path().join("deny.toml"), allowed.replace("    \"ISC\",\n", "")).unwrap();
    let said = licences(dir.path()).unwrap_err();
    assert!(said.contains("deny.toml does not allow ") && said.contains("ISC"), "{said}");
}

/// The crates in a lock file, with their versions; each with the crates that it needs.
fn locked(path: &str) -> BTreeMap<(String, String), Vec<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let quoted = |text: &str| text.split('"').nth(1).unwrap().to_owned();
    let packages = text.split("[[package]]\n").skip(1);
    packages
        .map(|package| {
            let value =
                |key: &str| quoted(package.lines().find_map(|line| line.strip_prefix(key)).expect(key));
            let needs = package.lines().filter(|line| line.starts_with(" \"")).map(quoted).collect();
            ((value("name = "), value("version = ")), needs)
        })
        .collect()
}

/// The fuzz targets are a workspace of their own, which no other test compiles.
#[test]
fn the_fuzz_targets_have_the_crates_of_the_program() {
    let (of_program, of_targets) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let own = ["pingosd-fuzz", "libfuzzer-sys", "arbitrary"];
    let other: Vec<_> = of_targets
        .keys()
        .filter(|package| !of_program.contains_key(package) && !own.contains(&&package.0[..]))
        .collect();
    assert!(other.is_empty(), "fuzz/Cargo.lock has other versions: {other:?}");
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
    let (dependencies, _) = dependencies.split_once("\n\n").unwrap();
    let needs = &of_targets.iter().find(|(package, _)| package.0 == "pingosd").expect("the program").1;
    for line in dependencies.lines() {
        let name = line.split(' ').next().unwrap();
        let is_locked = needs.iter().any(|need| need.split(' ').next() == Some(name));
        assert!(is_locked, "fuzz/Cargo.lock lacks {name}");
    }
}

/// The fields of a Debian package that is built around a small program for the ELF machine.
fn fields_of_package(machine: u8) -> Option<BTreeMap<String, String>> {
    run("dpkg-deb", &["--version"])?;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        path("program.c"),
        "#include <math.h>\n#include <stdio.h>\nint main(int c, char **v) { return printf(\"%f\", pow(c, 2.5)); }",
    )
    .unwrap();
    assert!(run("cc", &["-o", &path("program"), &path("program.c"), "-lm"]).expect("cc").status.success());
    let mut program = fs::read(path("program")).unwrap();
    program[18] = machine;
    fs::write(path("program"), program).unwrap();
    let script = packaging("deb/build");
    let output = run(script.to_str().unwrap(), &[&path("program"), &path(""), "1.2.3"]).unwrap();
    assert!(output.status.success(), "{output:?}");
    let package = String::from_utf8(output.stdout).unwrap();
    let output = run("dpkg-deb", &["--field", package.trim()]).unwrap();
    let fields = String::from_utf8(output.stdout).unwrap();
    Some(fields.lines().filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.into(), v.into())).collect())
}

#[test]
fn a_package_has_the_architecture_and_the_libraries_of_its_program() {
    for (machine, architecture) in [(62, "amd64"), (183, "arm64")] {
        let Some(fields) = fields_of_package(machine) else { return };
        assert_eq!(fields["Architecture"], architecture);
        // pow() has this version since glibc 2.29.
        let needs =
            fields["Depends"].strip_prefix("libc6 (>= 2.").and_then(|rest| rest.strip_suffix("), adduser"));
        assert!(needs.is_some_and(|minor| minor.parse::<u32>().unwrap() >= 29), "{fields:?}");
    }
}

#[test]
fn what_is_no_program_for_packages_is_refused() {
    for (script, file, reason) in [
        ("architecture", "Cargo.toml", "is not a 64-bit little-endian ELF program"),
        ("deb/build", "Cargo.toml", "is not a 64-bit little-endian ELF program"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let script = packaging(script);
        let output = run(script.to_str().unwrap(), &[file, dir.path().to_str().unwrap(), "1.2.3"]).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{said}");
    }
}

#[test]
fn a_purge_leaves_recordings_below_the_state_directory() {
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("var/lib/pingosd");
    for name in ["generations", "logs", "html", "recordings"] {
        fs::create_dir_all(state.join(name)).unwrap();
    }
    for name in ["generations/1", "logs/error.log", "recordings/show.flv"] {
        fs::write(state.join(name), "").unwrap();
    }
    let script = fs::read_to_string(packaging("deb/postrm")).unwrap();
    // No path of this machine is left in it, nor a program that could change the machine.
    let rooted = ["/var/", "/run/", "/etc/"].iter().fold(script, |text, path| {
        text.replace(&format!(" {path}"), &format!(" {}{path}", root.path().display()))
    });
    let rooted = rooted.replace("deb-systemd-helper", "no-such-program");
    let output = run("sh", &["-c", &rooted, "postrm", "purge"]).expect("sh");
    assert!(output.status.success(), "{output:?}");
    assert!(state.join("recordings/show.flv").exists());
    assert!(
        !state.join("generations").exists() && !state.join("logs").exists() && !state.join("html").exists()
    );
}
