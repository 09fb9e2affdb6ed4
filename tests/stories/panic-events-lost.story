# A panic is known by the shutdown that it made, too.
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-panic
 5.005  process  web1 exited 0
 6.000  expect   web1 crash by guest, panic-device, not graceful, left gone
