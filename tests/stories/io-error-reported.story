# An I/O error that is only reported to the guest stops nothing.
 5.000  qmp      web1 BLOCK_IO_ERROR action=report device=drive0 repeat 500 every 10ms
 1m     expect   web1 nothing
