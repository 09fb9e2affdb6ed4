# A guest that resets for two minutes, 22 times a second, gets one verdict with a count, and few revisions.
 0.000  qmp      web1 running
 5.000  qmp      web1 RESET guest=true reason=guest-reset repeat 2640 every 45ms
 5.000  expect   web1 reboot by guest, guest-reset, count 1
14.999  expect   web1 0 revisions
 1h     expect   web1 1 verdict
 1h     expect   web1 reboot by guest, guest-reset, left running, count 220
 1h     expect   web1 4 revisions
