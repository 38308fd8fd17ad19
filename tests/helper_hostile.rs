//! The privileged helper and a serving process that has been taken over: whatever it sends, it gets nothing but what root's
//! configuration names. Needs root and a directory that root alone may change.

mod support;

use std::fs::{self, Permissions};
use std::io::{IoSlice, IoSliceMut, Read, Seek};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::geteuid;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType,
    recvmsg, send, sendmsg, socketpair,
};
use serde_json::{Value, json};
use support::server::{PROGRAM, Prefix};
use support::tls;

const NOBODY: u32 = 65534;

/// A helper without its server; the test speaks in the server's place.
struct Double {
    prefix: Prefix,
    socket: OwnedFd,
    helper: Child,
}

/// A path as the setup has it.
fn bytes(path: &Path) -> Value {
    json!({ "Unix": path.as_os_str().as_encoded_bytes() })
}

impl Double {
    /// The helper of a server with this configuration; `None` if the test doesn't run as root.
    fn start(conf: &str) -> Option<Double> {
        if !geteuid().is_root() {
            return None;
        }
        let prefix = Prefix::below(Path::new("/run"));
        fs::create_dir(prefix.path().join("user")).unwrap();
        chown(prefix.path().join("user"), Some(NOBODY), None).unwrap();
        let conf = format!("error_log logs/error.log;\nevents {{ }}\n{conf}");
        prefix.write("conf/pingosd.conf", conf.replace("{dir}", &prefix.path().display().to_string()));
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let dir = prefix.path();
        let setup = json!({
            "user": { "uid": NOBODY, "gid": NOBODY, "name": "nobody" },
            "directory": bytes(dir),
            "prefix": bytes(dir),
            "conf_file": bytes(&prefix.conf()),
            "globals": [],
            "error_log": bytes(&dir.join("logs/error.log")),
            "own_files": [],
            "program": bytes(&dir.join("user/program")),
            "arguments": [],
            "process_group": nix::unistd::getpgrp().as_raw(),
            "environment": [],
        });
        let file = prefix.write("setup", setup.to_string());
        let file = fs::File::options().read(true).write(true).open(file).unwrap();
        let helper =
            Command::new(PROGRAM).arg("--privileged-helper").env_clear().stdin(theirs).stdout(file).spawn();
        let double = Double { prefix, socket, helper: helper.unwrap() };
        assert_eq!(double.receive().0, json!("done"));
        Some(double)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.prefix.path().join(name)
    }

    fn receive(&self) -> (Value, Vec<OwnedFd>) {
        let mut text = vec![0; 65_536];
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = RecvAncillaryBuffer::new(&mut room);
        let mut parts = [IoSliceMut::new(&mut text)];
        let length =
            recvmsg(self.socket.as_fd(), &mut parts, &mut control, RecvFlags::empty()).unwrap().bytes;
        let files = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let files = files.flatten().collect();
        assert!(length > 0, "the helper has ended");
        (serde_json::from_slice(&text[..length]).unwrap(), files)
    }

    fn ask_raw(&self, text: &[u8]) -> (Value, Vec<OwnedFd>) {
        send(self.socket.as_fd(), text, SendFlags::empty()).unwrap();
        self.receive()
    }

    fn ask(&self, request: &Value) -> (Value, Vec<OwnedFd>) {
        self.ask_raw(request.to_string().as_bytes())
    }

    #[track_caller]
    fn assert_refused(&self, request: &Value, reason: &str) {
        let (answer, files) = self.ask(request);
        let said = answer["refused"]["reason"].as_str().unwrap_or_default();
        assert!(said.contains(reason) && files.is_empty(), "{request}: {answer}");
    }

    /// Has the configuration read: the number of its list, the list, and all texts.
    fn read(&self) -> (u64, Value, String) {
        let (answer, mut files) = self.ask(&json!("read_conf"));
        let generation = answer["read"]["generation"].as_u64().unwrap_or_else(|| panic!("{answer}"));
        let mut file = fs::File::from(files.remove(0));
        assert!(file.set_len(0).is_err(), "it is sealed");
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        (generation, read["listed"].clone(), text)
    }

    /// Place of a file in a list.
    fn place(&self, listed: &Value, path: &str) -> Option<usize> {
        let path = bytes(&self.path(path));
        listed["files"].as_array().unwrap().iter().position(|file| file["path"] == path)
    }

    fn alerts(&self) -> Vec<String> {
        self.prefix.read("logs/error.log").lines().filter(|l| l.contains("[alert]")).map(Into::into).collect()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

const TLS: &str = "http { server { listen 127.0.0.1:443 ssl; ssl_certificate {dir}/user/cert; \
                   ssl_certificate_key {dir}/user/key; } include {dir}/user/*.conf; }";

fn with_files() -> Option<Double> {
    let double = Double::start(TLS)?;
    for (name, file) in [("user/cert", "origin.crt"), ("user/key", "origin.key")] {
        double.prefix.write(name, fs::read(tls::file(file)).unwrap());
    }
    Some(double)
}

#[test]
fn requests_for_what_is_not_listed_are_refused_and_logged() {
    let Some(double) = with_files() else { return };
    double.assert_refused(&json!({ "open": { "generation": 1, "index": 0 } }), "list 1 is not known");
    let (generation, listed, _) = double.read();
    let index = listed["files"].as_array().unwrap().len();
    let open =
        |generation: u64, index: usize| json!({ "open": { "generation": generation, "index": index } });
    double.assert_refused(&open(generation, index), "has no entry");
    double.assert_refused(&open(generation, usize::MAX), "has no entry");
    double.assert_refused(&json!({ "bind": { "generation": generation, "index": 9 } }), "has no entry");
    double.assert_refused(&json!({ "in_force": { "generation": 99 } }), "list 99 is not known");
    assert_eq!(double.ask(&json!({ "in_force": { "generation": generation } })).0, "done");
    // Generations that are no longer in force are forgotten one after the other.
    for name in 0..6 {
        double.prefix.write("conf/pingosd.conf", format!("error_log logs/{name}.log;\nevents {{ }}\n"));
        let (next, ..) = double.read();
        assert_eq!(double.ask(&json!({ "in_force": { "generation": next } })).0, "done");
    }
    double.assert_refused(&open(generation, 0), "is not known");
    assert!(double.alerts().len() >= 5, "{:?}", double.alerts());
}

#[test]
fn files_that_were_swapped_are_refused() {
    let Some(double) = with_files() else { return };
    let (generation, listed, _) = double.read();
    let key = double.place(&listed, "user/key").unwrap();
    let open = json!({ "open": { "generation": generation, "index": key } });
    let (answer, files) = double.ask(&open);
    assert_eq!((answer, files.len()), (json!("done"), 1));
    let path = double.path("user/key");
    let swap = |make: &dyn Fn()| {
        fs::remove_file(&path).unwrap();
        make();
    };
    swap(&|| symlink("/etc/shadow", &path).unwrap());
    double.assert_refused(&open, "it is a link");
    double.prefix.write("secret", "secret");
    swap(&|| fs::hard_link(double.path("secret"), &path).unwrap());
    double.assert_refused(&open, "several links");
    swap(&|| nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap());
    double.assert_refused(&open, "not a regular file");
    swap(&|| symlink("/dev/zero", &path).unwrap());
    double.assert_refused(&open, "it is a link");
    // The directory itself, which is in root's hands, may be a link; another user's may not.
    fs::remove_file(&path).unwrap();
    fs::rename(double.path("user"), double.path("moved")).unwrap();
    symlink("moved", double.path("user")).unwrap();
    symlink("/etc/shadow", double.path("moved/key")).unwrap();
    double.assert_refused(&open, "it is a link");
    assert_eq!(double.alerts().len(), 5, "{:?}", double.alerts());
}

#[test]
fn a_file_that_others_may_change_names_nothing_and_reveals_nothing() {
    let Some(double) = with_files() else { return };
    double.prefix.write(
        "user/more.conf",
        "server { listen 127.0.0.1:22 ssl; ssl_certificate /etc/shadow; ssl_certificate_key /etc/shadow; }",
    );
    double.prefix.write("secret", "of root alone");
    fs::set_permissions(double.path("secret"), Permissions::from_mode(0o600)).unwrap();
    symlink(double.path("secret"), double.path("user/link.conf")).unwrap();
    let (_, listed, texts) = double.read();
    let listed = listed.to_string();
    assert!(!listed.contains("22") || !listed.contains("127.0.0.1:22\""), "{listed}");
    assert!(!listed.contains(&bytes(Path::new("/etc/shadow")).to_string()), "{listed}");
    assert!(texts.contains("ssl_certificate /etc/shadow"), "its text is read as the user");
    assert!(!texts.contains("of root alone"));
    // The main file itself: it names nothing then.
    fs::set_permissions(double.prefix.conf(), Permissions::from_mode(0o666)).unwrap();
    let (_, listed, _) = double.read();
    assert_eq!(listed["addresses"], json!([]));
    assert_eq!(double.place(&listed, "user/key"), None);
}

#[test]
fn damaged_and_too_many_requests_are_refused_and_the_helper_goes_on() {
    let Some(double) = with_files() else { return };
    for text in
        ["{", "{\"open\":{\"generation\":1", "null", "{\"open\":{\"path\":\"/etc/shadow\"}}", "\"upgrade\""]
    {
        let (answer, _) = double.ask_raw(text.as_bytes());
        assert!(answer["refused"]["reason"].as_str().unwrap().contains("not understood"), "{answer}");
    }
    let (answer, _) = double.ask_raw(&vec![b'x'; 40_000]);
    assert!(answer["refused"]["reason"].as_str().unwrap().contains("longer than"), "{answer}");
    let refused = (0..10_000)
        .map(|_| double.ask(&json!({ "open": { "generation": 7, "index": 7 } })).0)
        .filter(|answer| answer["refused"]["reason"] == "too many requests")
        .count();
    assert!(refused > 500, "{refused}");
    // The log is not flooded.
    let alerts = double.alerts();
    assert!(alerts.len() < 1_000, "{}", alerts.len());
    // Descriptors that come along are closed: as many as a process may have would otherwise do.
    let mine = fs::File::open("/dev/null").unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let fds = [mine.as_fd()];
    for _ in 0..2_000 {
        let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
        assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(double.socket.as_fd(), &[IoSlice::new(b"{}")], &mut control, SendFlags::empty()).unwrap();
        double.receive();
    }
    let open = fs::read_dir(format!("/proc/{}/fd", double.helper.id())).unwrap().count();
    assert!(open < 16, "{open}");
}

#[test]
fn a_program_that_others_may_change_is_not_started() {
    let Some(double) = with_files() else { return };
    fs::copy("/bin/true", double.path("user/program")).unwrap();
    double.assert_refused(&json!({ "upgrade": { "carried": "" } }), "users other than root may change it");
    for word in ["$(id)", "a\nb", &"x".repeat(5_000)] {
        double.assert_refused(
            &json!({ "upgrade": { "carried": word } }),
            "users other than root may change it",
        );
    }
}

#[test]
fn the_helper_serves_only_root_and_ends_with_its_socket() {
    let output = Command::new(PROGRAM)
        .arg("--privileged-helper")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    let Some(mut double) = with_files() else { return };
    let (ours, _) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    drop(std::mem::replace(&mut double.socket, ours));
    assert!(double.helper.wait().unwrap().success());
}
