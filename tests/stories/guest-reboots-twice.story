# Two reboots within ten seconds are the start of a loop: one verdict, revised.
 5.000  qmp      web1 RESET guest=true reason=guest-reset
11.000  qmp      web1 RESET guest=true reason=guest-reset
14.999  expect   web1 0 revisions
16.000  expect   web1 reboot by guest, guest-reset, count 2
16.000  expect   web1 1 verdict
16.000  expect   web1 1 revision
