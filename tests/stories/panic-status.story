# A panic is known by the status of the VM that it stopped, too.
policy web1 on_crash=preserve
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status guest-panicked
 5.001  expect   web1 crash by guest, panic-device, not graceful, left paused
