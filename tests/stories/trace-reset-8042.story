# A reboot by the keyboard controller, without a monitor; the firmware's own reset after it is part of it.
 5.000  trace    web1 port-write port=0x64 value=254 pc=true
 5.000  trace    web1 RESET guest=true reason=guest-reset
 5.000  expect   web1 reboot by guest, reset-8042, graceful unknown, left running, certain
 5.050  trace    web1 port-write port=0xcf9 value=6 pc=true
 5.050  trace    web1 RESET guest=true reason=guest-reset
 9.000  expect   web1 1 verdict
 9.000  expect   web1 0 revisions
20m     trace    web1 port-write port=0xcf9 value=14 pc=true
20m     trace    web1 RESET guest=true reason=guest-reset
20m     expect   web1 reboot by guest, reset-cf9
20m     expect   web1 2 verdicts
