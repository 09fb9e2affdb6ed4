# A panicked guest that runs on and resets itself has crashed once; what it does after it has booted is its own story.
policy web1 on_crash=leave
 5.000  qmp      web1 GUEST_PANICKED action=run
 5.000  expect   web1 crash by guest, panic-device, left running, leave none
15.000  qmp      web1 RESET guest=true reason=guest-reset
15.020  qmp      web1 RESET guest=true reason=guest-reset
15.050  qmp      web1 RESET guest=true reason=guest-reset
16.000  expect   web1 crash by guest, panic-device, left running
16.000  expect   web1 1 verdict
 10m    qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 10m    process  web1 exited 0
 11m    expect   web1 poweroff by guest, acpi-s5, graceful
 11m    expect   web1 2 verdicts
