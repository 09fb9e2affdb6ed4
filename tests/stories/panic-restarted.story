# An owner may have a crashed VM started again.
policy web1 on_crash=restart
 5.000  qmp      web1 GUEST_PANICKED action=poweroff
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-panic
 5.005  process  web1 exited 0
 6.000  expect   web1 crash by guest, panic-device, restart pending
 6.000  expect   web1 started
