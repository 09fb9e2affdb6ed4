# Where the machine's way to power off is not known, it is not guessed.
machine tiny microvm
 5.000  qmp      tiny SHUTDOWN guest=true reason=guest-shutdown
 5.005  process  tiny exited 0
 6.000  expect   tiny poweroff by guest, guest-shutdown, graceful, certain, rule guest-poweroff-somehow
