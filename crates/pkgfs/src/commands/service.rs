//! `pkgfs service`: the mount of the machine's configuration, as a service of Windows.
//!
//! The service is this program, run as `pkgfs service run` by the service control manager. It serves the
//! mount in its own process, tells the manager when that stands, and ends with it. One that fails is
//! started again by the manager.

use std::{ffi::OsString, sync::mpsc, thread, time::Duration};

use anyhow::{Context, bail};
use pkgfs_daemon::{MountOrder, Presence, mount_table::resolve};
use windows_service::{
    Error, define_windows_service,
    service::{
        ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
        ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod,
        ServiceInfo, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
    },
    service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle},
    service_dispatcher,
    service_manager::{ServiceManager, ServiceManagerAccess},
};

use crate::{
    cli::{ServiceAction as Action, SettingFlags},
    config,
    output::{Outcome, note},
};

/// Its name, as `sc query` takes it.
const NAME: &str = "pkgfs";
/// `ERROR_SERVICE_DOES_NOT_EXIST`
const NO_SERVICE: i32 = 1060;
/// `ERROR_SERVICE_NOT_ACTIVE`
const NOT_ACTIVE: i32 = 1062;
/// `ERROR_ACCESS_DENIED`
const DENIED: i32 = 5;
/// How long a mount may take to stand, and a service to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a service that is about to end.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) fn run(action: &Action) -> anyhow::Result<Outcome> {
    match action {
        Action::Install { account } => install(account.as_deref()),
        Action::Uninstall => uninstall(),
        Action::Run => {
            service_dispatcher::start(NAME, service_main)
                .context("only Windows' service control manager starts this: use `pkgfs mount`")?;
            Ok(Outcome::default())
        }
    }
}

fn install(account: Option<&str>) -> anyhow::Result<Outcome> {
    let place = order()?.mountpoint;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: "pkgfs package cache".into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: std::env::current_exe().context("cannot tell where this program lies")?,
        launch_arguments: vec!["service".into(), "run".into()],
        dependencies: Vec::new(),
        account_name: account.map(OsString::from),
        account_password: None,
    };
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = manager(access)?;
    let rights = ServiceAccess::CHANGE_CONFIG | ServiceAccess::QUERY_STATUS | ServiceAccess::START;
    let (service, done) = match manager.open_service(NAME, rights) {
        Ok(service) => {
            service.change_config(&info).map_err(told)?;
            (service, "was installed, and is brought up to date")
        }
        Err(error) if code(&error) == Some(NO_SERVICE) => {
            (manager.create_service(&info, rights).map_err(told)?, "is installed")
        }
        Err(error) => return Err(told(error)),
    };
    service.set_description("Shows rez's package cache, and keeps it local.").map_err(told)?;
    let again = |seconds| ServiceAction {
        action_type: ServiceActionType::Restart,
        delay: Duration::from_secs(seconds),
    };
    let failing = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(Duration::from_secs(86_400)),
        reboot_msg: None,
        command: None,
        actions: Some(vec![again(1), again(10), again(60)]),
    };
    service.update_failure_actions(failing).map_err(told)?;
    if let Err(error) = service.set_failure_actions_on_non_crash_failures(true) {
        note(&format!("the service is started again after crashes alone: {:#}", told(error)));
    }
    Ok(format!(
        "the service {NAME} {done}; it mounts {} when Windows starts, and now with `sc start {NAME}`\n",
        place.display()
    )
    .into())
}

fn uninstall() -> anyhow::Result<Outcome> {
    let manager = manager(ServiceManagerAccess::CONNECT)?;
    let rights = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
    let service = match manager.open_service(NAME, rights) {
        Err(error) if code(&error) == Some(NO_SERVICE) => {
            return Ok(format!("the service {NAME} is not installed\n").into());
        }
        service => service.map_err(told)?,
    };
    match service.stop() {
        Ok(_) => {
            for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
                let status = service.query_status().map_err(told)?;
                if status.current_state == ServiceState::Stopped {
                    break;
                }
                // The manager tells of changes to nobody who has not much more code.
                thread::sleep(LOOK);
            }
        }
        Err(error) if code(&error) == Some(NOT_ACTIVE) => {}
        Err(error) => return Err(told(error)),
    }
    service.delete().map_err(told)?;
    Ok(format!("the service {NAME} is uninstalled\n").into())
}

fn manager(access: ServiceManagerAccess) -> anyhow::Result<ServiceManager> {
    ServiceManager::local_computer(None::<&str>, access).map_err(told)
}

fn code(error: &Error) -> Option<i32> {
    match error {
        Error::Winapi(error) => error.raw_os_error(),
        _ => None,
    }
}

fn told(error: Error) -> anyhow::Error {
    match code(&error) {
        Some(DENIED) => anyhow::anyhow!(
            "only administrators may change services: run this from an elevated prompt, or use \
             `pkgfs logon install` for yourself"
        ),
        _ => anyhow::Error::from(error).context("the service control manager refused"),
    }
}

/// What the configuration says is to be mounted.
fn order() -> anyhow::Result<MountOrder> {
    let mut settings = config::load(&SettingFlags::default())?.settings;
    let Some(mountpoint) = settings.mountpoint.clone() else {
        bail!(
            "no mountpoint: set `mountpoint` and `repositories` in %ProgramData%\\pkgfs\\config.toml"
        );
    };
    settings.store = resolve(&settings.store)?;
    Ok(MountOrder { mountpoint: resolve(&mountpoint)?, settings })
}

define_windows_service!(service_main, serve);

/// The service, on a thread of the manager's choice.
fn serve(_arguments: Vec<OsString>) {
    let handler = |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
            pkgfs_daemon::stop();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    // Without the manager there is nobody to tell anything.
    let Ok(manager) = service_control_handler::register(NAME, handler) else { return };
    tell(manager, ServiceState::StartPending, 0);
    let (ready, stands) = mpsc::channel();
    let telling = thread::spawn(move || {
        if stands.recv().is_ok() {
            tell(manager, ServiceState::Running, 0);
        }
    });
    let served = order().and_then(|order| {
        pkgfs_daemon::run(order, Presence::Background, move |_| {
            // Its receiver waits for this.
            let _ = ready.send(());
        })
        .map_err(Into::into)
    });
    let _ = telling.join();
    if let Err(error) = &served {
        pkgfs_daemon::service_failed(&format!("{error:#}"));
    }
    tell(manager, ServiceState::Stopped, u32::from(served.is_err()));
}

fn tell(manager: ServiceStatusHandle, state: ServiceState, failure: u32) {
    let accepted = match state {
        ServiceState::Running => ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
        _ => ServiceControlAccept::empty(),
    };
    // A manager that does not listen has ended, and this process with it.
    let _ = manager.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: accepted,
        exit_code: match failure {
            0 => ServiceExitCode::Win32(0),
            code => ServiceExitCode::ServiceSpecific(code),
        },
        checkpoint: 0,
        wait_hint: PATIENCE,
        process_id: None,
    });
}
