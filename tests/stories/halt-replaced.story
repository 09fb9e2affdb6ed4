# An owner may have a halted VM replaced by a new instance.
policy web1 on_halt=restart
11.000  qmp      web1 registers halted=true vcpus=1
11.000  expect   web1 halt by guest, halted, restart pending
11.000  expect   web1 started
11.010  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
11.020  process  web1 exited 0
30.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
30.005  process  web1 exited 0
31.000  expect   web1 poweroff by guest, acpi-s5, destroy done
31.000  expect   web1 2 verdicts
