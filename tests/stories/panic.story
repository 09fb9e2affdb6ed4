# A kernel panic with a panic device ends the VM.
 5.000  qmp      web1 GUEST_PANICKED action=poweroff
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-panic
 5.005  process  web1 exited 0
 6.000  expect   web1 crash by guest, panic-device, not graceful, left gone, certain, destroy done
 6.000  expect   web1 1 verdict
