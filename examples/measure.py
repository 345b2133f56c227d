"""Measures one architecture, as a training script would: `python measure.py --arch ARCHITECTURE`.

It prints how many convolutions a NAS-Bench-201 cell has, in place of an accuracy.
"""

import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--arch", required=True)
architecture = parser.parse_args().arch

print("training ...")
convolutions = architecture.count("nor_conv_3x3"), architecture.count("nor_conv_1x1")
print(
    json.dumps({"accuracy": 10 * convolutions[0] + 5 * convolutions[1], "hours": sum(convolutions)})
)
