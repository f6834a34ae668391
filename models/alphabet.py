"""The characters the reader tells apart, in the order of its output classes; class 0 is the CTC blank."""

# The order is that of the shipped file: new characters go to the end. I is on no plate; O is on a few old
# police plates, as the second character.
ALPHABET = (
    "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
    "ABCDEFGHJKLMNOPQRSTUVWXYZ"
    "0123456789"
    "学警挂港澳使领民航应急"
)

INPUT_HEIGHT = 48
INPUT_WIDTH = 168

METADATA = {
    "kind": "plate_reader",
    "alphabet": ALPHABET,
    "blank": "0",
    "output": "softmax",
    "input_height": str(INPUT_HEIGHT),
    "input_width": str(INPUT_WIDTH),
    "mean": "0.5",
    "std": "0.5",
    "channels": "BGR",
}
