# Policy starts a VM again five times within a minute, then gives up and says so.
policy web1 on_crash=restart
 1.000  qmp      web1 GUEST_PANICKED action=poweroff
 1.000  process  web1 exited 0
 1.000  expect   web1 crash by guest, panic-device, restart pending
 1.000  expect   web1 started
 2.000  qmp      web1 GUEST_PANICKED action=poweroff
 2.000  process  web1 exited 0
 3.000  qmp      web1 GUEST_PANICKED action=poweroff
 3.000  process  web1 exited 0
 4.000  qmp      web1 GUEST_PANICKED action=poweroff
 4.000  process  web1 exited 0
 5.000  qmp      web1 GUEST_PANICKED action=poweroff
 5.000  process  web1 exited 0
 5.000  expect   web1 crash by guest, panic-device, restart pending
 6.000  qmp      web1 GUEST_PANICKED action=poweroff
 6.000  process  web1 exited 0
 6.000  expect   web1 crash by guest, panic-device, restart gave-up
 6.000  expect   web1 6 verdicts
