# A panicked guest that is kept paused is preserved, and whoever kills it later only clears it away.
policy web1 on_crash=preserve
 5.000  qmp      web1 GUEST_PANICKED action=pause
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status guest-panicked
 5.001  expect   web1 crash by guest, panic-device, not graceful, left paused, preserve none
 10m    trace    web1 signal SIGKILL pid=990 comm=kill user=anna
 10m    process  web1 killed SIGKILL
 11m    expect   web1 crash by guest, panic-device, left paused
 11m    expect   web1 1 verdict
 11m    expect   web1 0 revisions
