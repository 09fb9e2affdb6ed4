# How a VM is when its monitor is opened is no transition.
 1.000  qmp      web1 monitor-opened
 1.001  qmp      web1 status prelaunch
 1.000  qmp      web2 monitor-opened
 1.001  qmp      web2 status inmigrate
 1.000  qmp      web3 monitor-opened
 1.001  qmp      web3 status paused
60.000  expect   web1 nothing
60.000  expect   web2 nothing
60.000  expect   web3 nothing
