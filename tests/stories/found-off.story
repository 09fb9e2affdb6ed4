# It was powered off while nobody looked; whoever clears it away afterwards did not do that.
 1.000  qmp      web1 monitor-opened
 1.001  qmp      web1 status running
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status shutdown was=running
60.001  expect   web1 poweroff by unknown, unseen, graceful unknown, left off, likely, rule poweroff-unseen
90.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
90.005  process  web1 exited 0
1h      expect   web1 poweroff by unknown, unseen, left off
1h      expect   web1 1 verdicts
