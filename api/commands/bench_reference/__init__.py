"""A pipeline to be compared with that anyone can rebuild: stock yolo11n at 640 and stock PP-OCR recognition.

What a network costs does not depend on the values of its weights, so the graphs are built here, with weights
by chance: nothing has to be fetched. Needs the package onnx (extra `bench`).
"""
