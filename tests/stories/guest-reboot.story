# A reboot is two or three resets within 50 ms, and one verdict.
 0.000  qmp      web1 running
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 5.000  expect   web1 reboot by guest, guest-reset, graceful unknown, left running, count 1, restart by-vmm, certain
 5.020  qmp      web1 RESET guest=true reason=guest-reset
 5.050  qmp      web1 RESET guest=true reason=guest-reset
 1h     expect   web1 1 verdict
 1h     expect   web1 0 revisions
 1h     expect   web1 not started
