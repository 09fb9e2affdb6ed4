# A button that was pressed long ago does not tell how an unknown machine powered itself off.
machine tiny microvm
 5.000  qmp      tiny POWERDOWN
 1h     qmp      tiny SHUTDOWN guest=true reason=guest-shutdown
 1h     process  tiny exited 0
 2h     expect   tiny poweroff by guest, guest-shutdown, graceful, likely
