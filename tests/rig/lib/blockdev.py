#!/usr/bin/python3
"""blockdev.py held DEVICE | crash DIRECTORY: two things a shell cannot do.

held:  exit 0 if the block device is mounted or otherwise held somewhere (in any
       mount namespace): an umount that returned 0 proves nothing.
crash: shut the ext4 file system down as a power cut would, dirty data lost
       (EXT4_IOC_SHUTDOWN with NOLOGFLUSH); the next mount replays the journal.
"""
import fcntl
import os
import struct
import sys

EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2


def held(device):
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return True
    return False


def crash(directory):
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    os.close(fd)


verb, path = sys.argv[1:]
if verb == "held":
    sys.exit(0 if held(path) else 1)
crash(path)
