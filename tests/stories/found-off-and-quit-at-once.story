# The quit comes before the status in which it was found has been judged.
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status shutdown was=unknown
60.001  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
60.002  process  web1 killed SIGKILL
1h      expect   web1 poweroff by unknown, unseen, left off, likely
1h      expect   web1 1 verdicts
