"""Serves a price model."""

import logging

import numpy as np
import onnxruntime
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

log = logging.getLogger("price")
session = onnxruntime.InferenceSession("/app/models/price.onnx")
app = FastAPI()
counts = {"predictions": 0}


class House(BaseModel):
    """What the model was fitted on."""

    area: float
    rooms: float


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/metrics", response_class=PlainTextResponse)
def metrics() -> str:
    return f"predictions_total {counts['predictions']}\n"


@app.post("/predict")
def predict(house: House) -> dict[str, float]:
    row = np.array([[house.area, house.rooms]], dtype=np.float32)
    price = float(session.run(None, {"features": row})[0][0, 0])
    counts["predictions"] += 1
    log.info("predict area=%s rooms=%s price=%s", house.area, house.rooms, price)
    return {"price": price}
