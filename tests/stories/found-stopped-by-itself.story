# QEMU stopped each by itself while nobody looked, and its status says why.
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status io-error was=running
60.001  expect   web1 pause by host, io-error, left paused
60.000  qmp      web2 monitor-opened
60.001  qmp      web2 status internal-error was=running
60.001  expect   web2 failure by vmm, unseen, not graceful, left paused
60.000  qmp      web3 monitor-opened
60.001  qmp      web3 status watchdog was=running
60.001  expect   web3 pause by guest, watchdog, left paused
60.000  qmp      web4 monitor-opened
60.001  qmp      web4 status postmigrate was=running
60.001  expect   web4 migrate by operator, migration, left paused
