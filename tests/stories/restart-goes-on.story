# Five restarts in more than a minute are no reason to give up.
policy web1 on_crash=restart
 1.000  qmp      web1 GUEST_PANICKED action=poweroff
 1.000  process  web1 exited 0
20.000  qmp      web1 GUEST_PANICKED action=poweroff
20.000  process  web1 exited 0
40.000  qmp      web1 GUEST_PANICKED action=poweroff
40.000  process  web1 exited 0
60.000  qmp      web1 GUEST_PANICKED action=poweroff
60.000  process  web1 exited 0
80.000  qmp      web1 GUEST_PANICKED action=poweroff
80.000  process  web1 exited 0
100.00  qmp      web1 GUEST_PANICKED action=poweroff
100.00  process  web1 exited 0
100.00  expect   web1 crash by guest, panic-device, restart pending
