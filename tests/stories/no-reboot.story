# With -no-reboot a reboot ends the VM; it is a reboot all the same, and policy has the last word.
policy web1 on_reboot=destroy
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-reset
 5.005  process  web1 exited 0
 6.000  expect   web1 reboot by guest, guest-reset, graceful unknown, left gone, destroy done
 6.000  expect   web1 not started
