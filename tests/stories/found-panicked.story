# Its guest panicked while nobody looked, and was held; it is told to quit later.
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status guest-panicked was=running
60.001  expect   web1 crash by guest, panic-device, not graceful, left paused, rule panic-device
90.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
90.005  process  web1 exited 0
1h      expect   web1 crash by guest, panic-device, left paused
1h      expect   web1 1 verdicts
# The quit comes before the status has been judged.
60.000  qmp      web2 monitor-opened
60.001  qmp      web2 status guest-panicked was=running
60.001  qmp      web2 SHUTDOWN guest=false reason=host-qmp-quit
60.002  process  web2 exited 0
1h      expect   web2 crash by guest, panic-device, not graceful, left paused
1h      expect   web2 1 verdicts
# It is found to run again, later: that is another story.
60.000  qmp      web3 monitor-opened
60.001  qmp      web3 status guest-panicked was=running
90.000  qmp      web3 monitor-opened
90.001  qmp      web3 status running was=paused
90.001  expect   web3 resume by unknown, unseen, left running, rule resume-unseen
90.001  expect   web3 2 verdicts
