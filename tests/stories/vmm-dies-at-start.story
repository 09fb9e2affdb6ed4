# A VMM that dies at its start has failed, and says why.
 0.050  stderr   web1 message "qemu-system-x86_64: -drive file=disk.img: Could not open 'disk.img': No such file or directory"
 0.051  process  web1 exited 1
 0.051  expect   web1 failure by vmm, process-exit, not graceful, left gone, certain
 1.000  expect   web1 not started
