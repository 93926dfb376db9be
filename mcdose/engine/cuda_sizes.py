"""How many threads and blocks the CUDA kernels are launched with. No result depends on those of the transport."""

THREADS = 128  # of a block that follows histories
BLOCKS_BY_REGISTERS = 6  # of such blocks that a multiprocessor must hold: at most 80 registers a thread
ROW_BLOCKS_BY_REGISTERS = 5  # the same of `transport_rows`, which would spill with 80
BLOCKS_PER_PROCESSOR = 6  # of such blocks in a launch: what is resident at once
ROOM_ASIDE = 0.125  # photons set aside, by the histories of a batch; those beyond are followed on the spot

LANES = 256  # threads of a block of every other kernel

# Real numbers are added up in an order that these fix, the same on every device.
SUM_BLOCKS = 256  # of a sum over voxels
REGION_BLOCKS = 64  # of a sum over a region
