"""How good a model is: detection, agreement with another, keypoints, dwell."""
