"""What every plan says of itself."""

NOTICE = (
    "Research software, not a medical device: these figures inform and do not prescribe. Whoever treats the patient "
    "decides, by the instructions for use of the device and by the publications named."
)
