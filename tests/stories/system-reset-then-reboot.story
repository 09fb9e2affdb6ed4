# A reboot of the guest's own, five seconds after the operator's reset, is its own.
 5.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
 5.055  qmp      web1 RESET guest=true reason=guest-reset
10.000  qmp      web1 RESET guest=true reason=guest-reset
11.000  expect   web1 reboot by guest, guest-reset, count 1
11.000  expect   web1 2 verdicts
