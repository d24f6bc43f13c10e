//! A repository on a real network file system: an sshd on the loopback, and sshfs to it.
//!
//! Server and client have keys, configuration and directories of their own below the scene, and
//! end with it. The server runs in a mount namespace where `/run` is its own, since sshd insists
//! on a directory there.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pkgfs_tests::{MountOptions, Mounted, Ran, Scene, VariantHandle, eventually};
use rustix::mount::UnmountFlags;
use rustix::process::Signal;

use crate::process_tree::ProcessTree;

/// Seconds after which pkgfs gives up on a silent storage in these tests.
pub(crate) const DEADLINE_SECONDS: u64 = 2;

/// What the client may keep of the server's answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// What sshfs keeps by default: names and attributes, for 20 seconds.
    Default,
    /// Nothing, so that a change shows at once.
    None,
}

/// The scene's repository, seen through sshfs. The order matters: the client ends first.
pub(crate) struct Share {
    client: Option<ProcessTree>,
    server: ProcessTree,
    port: u16,
    caching: Caching,
    tells_links: bool,
    pub(crate) scene: Scene,
}

impl Share {
    /// Shares a scene's repository.
    pub(crate) fn new(scene: Scene, caching: Caching) -> Self {
        Self::with(scene, caching, true)
    }

    /// Shares it with a client that does not say where links with `..` in them lead.
    pub(crate) fn that_hides_links(scene: Scene) -> Self {
        Self::with(scene, Caching::Default, false)
    }

    fn with(scene: Scene, caching: Caching, tells_links: bool) -> Self {
        for key in ["host-key", "client-key"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(scene.path(key));
            let _ = Ran::new(&mut command).good();
        }
        fs::copy(scene.path("client-key.pub"), scene.path("authorized")).unwrap();
        let (port, server) = serve(&scene);
        let host_key = fs::read_to_string(scene.path("host-key.pub")).unwrap();
        let known = format!("[127.0.0.1]:{port} {host_key}");
        fs::write(scene.path("known-hosts"), known).unwrap();
        fs::create_dir(scene.path("share")).unwrap();
        let mut share = Self { client: None, server, port, caching, tells_links, scene };
        share.connect();
        share
    }

    /// Where the repository is seen through the network.
    pub(crate) fn location(&self) -> PathBuf {
        self.scene.path("share")
    }

    /// Mounts the client.
    fn connect(&mut self) {
        let at = |name: &str| self.scene.path(name).display().to_string();
        let mut command = Command::new("sshfs");
        command.arg("-f").args(["-p", &self.port.to_string()]);
        command.args(["-F", "/dev/null", "-o", "ro,BatchMode=yes,StrictHostKeyChecking=yes"]);
        command.arg("-o").arg(format!("IdentityFile={}", at("client-key")));
        command.arg("-o").arg(format!("UserKnownHostsFile={}", at("known-hosts")));
        // Debian's sshfs refuses by default to say where a link leads that may lead out.
        command.args([
            "-o",
            if self.tells_links { "no_contain_symlinks" } else { "contain_symlinks" },
        ]);
        if self.caching == Caching::None {
            command.args(["-o", "dir_cache=no,attr_timeout=0,entry_timeout=0,negative_timeout=0"]);
        }
        let location = self.location();
        command.arg(format!("root@127.0.0.1:{}", at("repository"))).arg(&location);
        let mut client = ProcessTree::spawn(command.stdin(Stdio::null()));
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
        let here = device(&self.scene.path("known-hosts"));
        eventually("sshfs mounts", || {
            assert!(!client.has_ended(), "sshfs has failed: see its message above");
            device(&location).is_some_and(|device| Some(device) != here)
        });
        self.client = Some(client);
    }

    /// The server stops answering, and keeps its connections, until the guard is dropped.
    pub(crate) fn hang(&self) -> Hang<'_> {
        self.server.signal(Signal::STOP);
        Hang(self)
    }

    /// Client and server are killed; a dead mount stays. (A client that lost only its server
    /// would take its mount along, and the empty directory below would truly have no files.)
    pub(crate) fn die(&mut self) {
        self.client.as_mut().unwrap().kill();
        self.server.kill();
    }

    /// Comes back after [`die`](Self::die), at the same place.
    pub(crate) fn come_back(&mut self) {
        self.disconnect();
        let (port, server) = serve(&self.scene);
        let known = fs::read_to_string(self.scene.path("known-hosts")).unwrap();
        let moved = known.replace(&format!("]:{} ", self.port), &format!("]:{port} "));
        fs::write(self.scene.path("known-hosts"), moved).unwrap();
        (self.port, self.server) = (port, server);
        self.connect();
    }

    fn disconnect(&mut self) {
        if self.client.take().is_some() {
            let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
            // A client that ended in good order has taken its mount along.
            rustix::mount::unmount(self.location(), flags).ok();
        }
    }

    /// Files that were opened on the server so far, below the repository.
    pub(crate) fn opened(&self) -> Vec<String> {
        let log = fs::read_to_string(self.scene.path("sftp.log")).unwrap();
        let below = format!("{}/", self.scene.path("repository").display());
        let opens = log.lines().filter_map(|line| line.split_once("open \"")?.1.rsplit_once('"'));
        opens.filter_map(|(path, _)| path.split_once(&below).map(|it| it.1.to_owned())).collect()
    }

    /// Mounts pkgfs with the shared repository.
    pub(crate) fn mount(&self) -> Mounted {
        let repositories = format!("repositories = [{:?}]", self.location());
        let deadline = format!("origin.deadline_seconds = {DEADLINE_SECONDS}");
        self.scene.mount(&MountOptions {
            // The scene would name the repository where it lies on the disk.
            serves_look_ups: false,
            configuration: format!("{repositories}\n{deadline}"),
            ..MountOptions::default()
        })
    }

    /// The payload of a package without variants.
    pub(crate) fn payload(&self, mounted: &Mounted, name: &str) -> PathBuf {
        let handle = VariantHandle {
            location: self.location().to_str().unwrap().to_owned(),
            ..self.scene.repository().handle(name, "1.0", None)
        };
        mounted.mountpoint().join(name).join("1.0").join(handle.h4()).join("a")
    }
}

/// A server that does not answer. Who waits for it cannot be killed: a test that fails must let
/// it go on before it ends pkgfs.
pub(crate) struct Hang<'a>(&'a Share);

impl Drop for Hang<'_> {
    fn drop(&mut self) {
        self.0.server.signal(Signal::CONT);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.disconnect();
    }
}

/// Starts an sshd that knows one key and logs what is opened; returns its port.
fn serve(scene: &Scene) -> (u16, ProcessTree) {
    // Free a moment ago; should another program take it, its host key will not be ours.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |name: &str| scene.path(name).display().to_string();
    let configuration = [
        format!("ListenAddress 127.0.0.1:{port}"),
        format!("HostKey {}", at("host-key")),
        format!("AuthorizedKeysFile {}", at("authorized")),
        "StrictModes no".into(),
        "UsePAM no".into(),
        "PermitRootLogin prohibit-password".into(),
        "PasswordAuthentication no".into(),
        "PidFile none".into(),
        // Run by the user's shell.
        format!("Subsystem sftp /usr/lib/openssh/sftp-server -e -l INFO 2>>{}", at("sftp.log")),
    ];
    fs::write(scene.path("sshd.conf"), configuration.join("\n") + "\n").unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs run /run && mkdir /run/sshd && exec /usr/sbin/sshd -D \"$@\"");
    command.args(["sh", "-f", &at("sshd.conf"), "-E", &at("sshd.log")]).stdin(Stdio::null());
    let mut server = ProcessTree::spawn(&mut command);
    eventually("sshd listens", || {
        assert!(!server.has_ended(), "sshd has failed: {}", log(scene));
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    (port, server)
}

fn log(scene: &Scene) -> String {
    fs::read_to_string(scene.path("sshd.log")).unwrap_or_default()
}
