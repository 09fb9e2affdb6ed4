# A VMM that takes its time to die after a reboot that it may not do gets no second verdict.
policy web1 on_reboot=restart
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-reset
11.000  expect   web1 reboot by guest, guest-reset, left off, restart pending
12.000  process  web1 exited 0
13.000  expect   web1 reboot by guest, guest-reset, left gone
13.000  expect   web1 1 verdict
