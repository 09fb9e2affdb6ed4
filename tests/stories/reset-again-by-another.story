# Resets within ten seconds are one loop only where the guest makes them all, in one way: each of these is a verdict of its own.
# Two ask for one each.
 4.990  vmpower  two request system_reset pid=501 comm=bob user=bob
 5.000  qmp      two RESET guest=false reason=host-qmp-system-reset
 5.055  qmp      two RESET guest=true reason=guest-reset
 6.000  expect   two reboot by operator, qmp-reset, certain, count 1, actor bob
 7.990  vmpower  two request system_reset pid=502 comm=root user=root
 8.000  qmp      two RESET guest=false reason=host-qmp-system-reset
 8.055  qmp      two RESET guest=true reason=guest-reset
 8.200  expect   two reboot by operator, qmp-reset, certain, count 1, actor root
# Within one firmware start, too.
 8.290  vmpower  two request system_reset pid=503 comm=anna user=anna
 8.300  qmp      two RESET guest=false reason=host-qmp-system-reset
 9.000  expect   two reboot by operator, qmp-reset, certain, count 1, actor anna
# One whom nobody saw ask.
11.000  qmp      two RESET guest=false reason=host-qmp-system-reset
12.000  expect   two reboot by operator, qmp-reset, certain, count 1, actor nobody
12.000  expect   two 4 verdicts
1h      expect   two 0 revisions
# The guest's own, then one that was asked for, then its own.
 5.000  qmp      mix RESET guest=true reason=guest-reset
 6.990  vmpower  mix request system_reset pid=502 comm=root user=root
 7.000  qmp      mix RESET guest=false reason=host-qmp-system-reset
 7.500  expect   mix reboot by operator, qmp-reset, count 1, actor root
 9.000  qmp      mix RESET guest=true reason=guest-reset
10.000  expect   mix reboot by guest, guest-reset, count 1
10.000  expect   mix 3 verdicts
# A button that the guest obeys by a reboot.
 5.000  qmp      button RESET guest=true reason=guest-reset
 6.190  vmpower  button request system_powerdown pid=502 comm=root user=root
 6.200  qmp      button POWERDOWN
 6.300  qmp      button RESET guest=true reason=guest-reset
 6.350  qmp      button RESET guest=true reason=guest-reset
 7.000  expect   button reboot by operator, power-button, certain, count 1, actor root
 8.000  qmp      button RESET guest=true reason=guest-reset
 8.500  expect   button reboot by guest, guest-reset, certain, count 1
 9.000  qmp      button RESET guest=true reason=guest-reset
 9.500  expect   button 3 verdicts
# The watchdog, and the guest's own after it; a watchdog's loop is one.
 5.000  qmp      dog RESET guest=true reason=guest-reset
 6.499  qmp      dog WATCHDOG action=reset
 6.500  qmp      dog RESET guest=true reason=guest-reset
 7.000  expect   dog reboot by guest, watchdog, certain, count 1
 7.999  qmp      dog WATCHDOG action=reset
 8.000  qmp      dog RESET guest=true reason=guest-reset
 9.500  qmp      dog RESET guest=true reason=guest-reset
10.000  expect   dog reboot by guest, guest-reset, certain, count 1
10.000  expect   dog 3 verdicts
# Another way, where both were seen.
 4.999  trace    way port-write port=0xcf9 value=14 pc=true
 5.000  qmp      way RESET guest=true reason=guest-reset
 6.999  trace    way port-write port=0xcf9 value=14 pc=true
 7.000  qmp      way RESET guest=true reason=guest-reset
 7.500  qmp      way RESET guest=true reason=guest-reset
 8.999  trace    way kvm-exit reason=shutdown pc=true
 9.000  qmp      way RESET guest=true reason=guest-reset
 9.500  expect   way reboot by guest, triple-fault, certain, count 1
 9.500  expect   way 2 verdicts
# A panic: what resets after the panicked kernel's own reset begins to count anew.
 5.000  qmp      panic RESET guest=true reason=guest-reset
 6.000  qmp      panic GUEST_PANICKED action=run
 7.000  qmp      panic RESET guest=true reason=guest-reset
 9.000  qmp      panic RESET guest=true reason=guest-reset
10.000  expect   panic reboot by guest, guest-reset, certain, count 1
10.000  expect   panic 3 verdicts
