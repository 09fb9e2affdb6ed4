# A reboot that the VMM may not do is done by policy.
policy web1 on_reboot=restart
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-reset
 5.005  process  web1 exited 0
 6.000  expect   web1 reboot by guest, guest-reset, left gone, restart pending
 6.000  expect   web1 started
