"""Prove which names left a library, and write ``rules/knowledge/uses.toml``.

Names that a module gives by ``__getattr__``, or that it takes away with an error of its own, cannot
be read from its source. Each release at both sides of a boundary is really installed in a fresh
virtual environment of a pyenv Python, and each name is asked of it: it must be there in the earlier
one and fail in the later one. ``Class.method`` asks the class, ``Name(keyword=value)`` makes the call. Names that do not behave so are left out and named on standard error.

    python tools/verify_uses.py --python-root ~/.pyenv/versions
    python tools/compile_tables.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "rules" / "knowledge" / "uses.toml"

# (Python, the last release with the names, the first without, names as "module:name").
BOUNDARIES: tuple[tuple[str, str, str, str], ...] = (
    ("3.10", "numpy==1.23.5", "numpy==1.24.4",
     # bool and long came back with 2.0.
     "numpy:float numpy:int numpy:object numpy:str numpy:complex"),
    ("3.11", "numpy==1.26.4", "numpy==2.0.2",
     "numpy:float_ numpy:complex_ numpy:unicode_ numpy:NaN numpy:Inf numpy:Infinity numpy:infty "
     "numpy:product numpy:cumproduct numpy:sometrue numpy:alltrue numpy:asfarray numpy:string_ "
     "numpy:cast numpy:mat numpy:PINF numpy:NINF numpy:find_common_type numpy:set_string_function"),
    ("3.11", "pydantic==1.10.19", "pydantic==2.0.3",
     "pydantic:root_validator() pydantic:Field(regex='a') pydantic:Field(const=True) pydantic:conlist(item_type=int,min_items=1) "
     "pydantic:conlist(item_type=int,max_items=1) pydantic:constr(regex='a') "
     "pydantic:BaseSettings pydantic:PyObject pydantic.error_wrappers:ErrorWrapper "
     "pydantic.utils:GetterDict pydantic:create_model_from_typeddict "
     "pydantic.env_settings:BaseSettings pydantic.typing:get_args "
     "pydantic.generics:GenericModel pydantic.fields:ModelField pydantic.utils:ROOT_KEY"),
    ("3.8", "scikit-learn==0.22.2.post1", "scikit-learn==0.23.2",
     "sklearn.externals:joblib sklearn.externals:six"),
    ("3.9", "flask==2.2.5 werkzeug==2.2.3", "flask==2.3.3 werkzeug==2.3.8",
     "flask:Flask.before_first_request flask:Blueprint.before_app_first_request "
     "flask:Markup flask:escape flask.json:JSONEncoder flask.json:JSONDecoder "
     "flask:_app_ctx_stack flask.helpers:safe_join"),
    ("3.9", "flask==1.1.4 werkzeug==1.0.1 jinja2==2.11.3 markupsafe==2.0.1",
     "flask==2.1.3 werkzeug==2.1.2", "flask:safe_join flask.helpers:safe_join"),
    ("3.9", "werkzeug==2.0.3", "werkzeug==2.1.2",
     "werkzeug.security:safe_str_cmp werkzeug.wrappers:BaseResponse werkzeug:BaseResponse"),
    ("3.9", "werkzeug==2.3.8", "werkzeug==3.0.6",
     "werkzeug.urls:url_quote werkzeug.urls:url_encode werkzeug.urls:url_parse "
     "werkzeug.urls:url_decode werkzeug:__version__"),
    ("3.9", "jinja2==3.0.3", "jinja2==3.1.6",
     "jinja2:Markup jinja2:escape jinja2:contextfilter jinja2:environmentfilter"),
    ("3.9", "markupsafe==2.0.1", "markupsafe==2.1.5", "markupsafe:soft_unicode"),
    ("3.9", "itsdangerous==2.0.1", "itsdangerous==2.1.2",
     "itsdangerous:json itsdangerous:JSONWebSignatureSerializer "
     "itsdangerous:TimedJSONWebSignatureSerializer"),
    ("3.10", "pillow==9.5.0", "pillow==10.0.1",
     "PIL.Image:ANTIALIAS PIL.Image:LINEAR PIL.Image:CUBIC"),
    ("3.10", "starlette==0.52.1", "starlette==1.0.0",
     "starlette.applications:Starlette.on_event starlette.applications:Starlette.add_event_handler "
     "starlette.applications:Starlette(on_startup=[]) starlette.applications:Starlette(on_shutdown=[])"),
    ("3.10", "scikit-learn==1.1.3 numpy==1.26.4", "scikit-learn==1.2.2 numpy==1.26.4",
     "sklearn.linear_model:LinearRegression(normalize=False) "
     "sklearn.datasets:load_boston sklearn.linear_model:Ridge(normalize=False) sklearn.linear_model:Lasso(normalize=False) "
     "sklearn.feature_extraction.text:CountVectorizer.get_feature_names "
     "sklearn.feature_extraction.text:TfidfVectorizer.get_feature_names "
     "sklearn.preprocessing:OneHotEncoder.get_feature_names "
     "sklearn.preprocessing:PolynomialFeatures.get_feature_names"),
    ("3.10", "scikit-learn==1.3.2 numpy==1.26.4", "scikit-learn==1.4.2 numpy==1.26.4",
     "sklearn.preprocessing:OneHotEncoder(sparse=False) "
     "sklearn.cluster:AgglomerativeClustering(affinity='euclidean') "
     "sklearn.ensemble:BaggingClassifier(base_estimator=None) "
     "sklearn.ensemble:BaggingRegressor(base_estimator=None) "
     "sklearn.ensemble:AdaBoostClassifier(base_estimator=None) "
     "sklearn.ensemble:AdaBoostRegressor(base_estimator=None) "
     "sklearn.calibration:CalibratedClassifierCV(base_estimator=None)"),
    ("3.10", "pandas==1.5.3 numpy==1.26.4", "pandas==2.0.3 numpy==1.26.4",
     "pandas:DataFrame.append pandas:Series.append pandas:DataFrame.iteritems "
     "pandas:np pandas:DataFrame.lookup pandas:DataFrame.to_csv(self=FRAME,line_terminator='a') "
     "pandas:Series.iteritems pandas:DataFrame.mad pandas:Int64Index pandas:Float64Index "
     "pandas:read_csv(filepath_or_buffer=EMPTY,error_bad_lines=False) "
     "pandas:read_csv(filepath_or_buffer=EMPTY,squeeze=True)"),
    ("3.10", "httpx==0.27.2", "httpx==0.28.1",
     "httpx:Client(proxies=None) httpx:AsyncClient(proxies=None)"),
    ("3.11", "marshmallow==3.26.1", "marshmallow==4.0.0",
     "marshmallow.fields:Int(missing=1) marshmallow.fields:Integer(missing=1) "
     "marshmallow.fields:Str(missing='') marshmallow.fields:String(missing='') "
     "marshmallow.fields:Float(missing=1) marshmallow.fields:Bool(missing=True) "
     "marshmallow.fields:List(cls_or_instance=None,missing=1)"),
    ("3.10", "starlette==0.27.0", "starlette==1.0.0", "starlette.middleware.wsgi:WSGIMiddleware"),
    ("3.10", "flask==2.3.3 werkzeug==2.3.8", "flask==3.0.3 werkzeug==3.0.6",
     "flask:Markup flask:escape flask.globals:_app_ctx_stack flask.globals:_request_ctx_stack"),
    ("3.9", "pyyaml==5.4.1", "pyyaml==6.0.2",
     "yaml:load(stream='a') yaml:load_all(stream='a')"),
    ("3.10", "openai==0.28.1", "openai==1.54.0 httpx==0.27.2",
     "openai.error:OpenAIError openai.error:RateLimitError openai:error "
     "openai:ChatCompletion.create openai:Completion.create openai:Embedding.create "
     "openai:ChatCompletion.acreate openai:Image.create openai:Audio.transcribe"),
    ("3.10", "sqlalchemy==1.4.54", "sqlalchemy==2.0.36",
     "sqlalchemy:MetaData(bind=None) sqlalchemy.engine:Engine.execute "
     "sqlalchemy.engine.base:Engine.execute sqlalchemy:create_engine(url='sqlite://',convert_unicode=True)"),
    ("3.8", "werkzeug==0.16.1", "werkzeug==1.0.1",
     "werkzeug:secure_filename werkzeug.contrib.fixers:ProxyFix werkzeug.contrib.cache:SimpleCache "
     "werkzeug:FileStorage werkzeug:cached_property"),
    ("3.8", "celery==4.4.7", "celery==5.2.7", "celery.task:task celery.decorators:task"),
    ("3.10", "huggingface-hub==0.25.2", "huggingface-hub==0.26.0", "huggingface_hub:cached_download"),
    ("3.10", "huggingface-hub==0.36.0", "huggingface-hub==1.0.1",
     "huggingface_hub:HfFolder huggingface_hub:Repository"),
    ("3.9", "click==7.1.2", "click==8.1.7", "click:get_terminal_size click:get_os_args"),
    ("3.11", "dash==2.18.2", "dash==3.0.4", "dash:Dash.run_server"),
    ("3.11", "moviepy==1.0.3", "moviepy==2.1.1", "moviepy.editor:VideoFileClip moviepy.editor:ImageClip"),
    ("3.12", "pandas==2.3.3", "pandas==3.0.0",
     "pandas:DataFrame.applymap pandas:DataFrame.swapaxes pandas:DataFrame.first "
     "pandas:read_csv(filepath_or_buffer=EMPTY,delim_whitespace=True)"),
    ("3.12", "numpy==2.3.5", "numpy==2.4.0", "numpy:trapz numpy:in1d"),
    ("3.8", "pandas==0.25.3 numpy<1.24", "pandas==1.0.5 numpy<1.24",
     "pandas:DataFrame.ix pandas:DataFrame.as_matrix pandas:DataFrame.get_value pandas:Panel"),
    ("3.10", "gradio==3.50.2 huggingface-hub<1 pydantic<2.11", "gradio==4.44.1 huggingface-hub<1 pydantic<2.11",
     "gradio:inputs.Textbox gradio:outputs.Label gradio.inputs:Image gradio.outputs:Textbox "
     "gradio:Box gradio:Image(source='upload') gradio:Image(shape=None) gradio:Image(tool='editor') "
     "gradio:Audio(source='upload') gradio:Button.style gradio:Variable"),
    ("3.11", "langchain==0.3.27 langchain-community==0.3.27", "langchain==1.0.0",
     "langchain.chains:LLMChain langchain.chains:RetrievalQA langchain.chains:ConversationalRetrievalChain "
     "langchain.chains:ConversationChain langchain.chains.question_answering:load_qa_chain "
     "langchain.prompts:PromptTemplate langchain.prompts:ChatPromptTemplate "
     "langchain.memory:ConversationBufferMemory langchain.text_splitter:RecursiveCharacterTextSplitter "
     "langchain.text_splitter:CharacterTextSplitter langchain.schema:Document langchain.schema:HumanMessage "
     "langchain.schema:SystemMessage langchain.docstore.document:Document langchain.llms:OpenAI "
     "langchain.chat_models:ChatOpenAI langchain.embeddings:OpenAIEmbeddings langchain.vectorstores:FAISS "
     "langchain.vectorstores:Chroma langchain.document_loaders:PyPDFLoader langchain.agents:initialize_agent "
     "langchain.agents:AgentExecutor langchain.tools:Tool langchain.callbacks.base:BaseCallbackHandler "
     "langchain.output_parsers:PydanticOutputParser langchain.retrievers:EnsembleRetriever"),
    ("3.11", "langchain==0.1.20", "langchain==0.2.17",
     "langchain.llms:OpenAI langchain.chat_models:ChatOpenAI langchain.embeddings:OpenAIEmbeddings "
     "langchain.embeddings:HuggingFaceEmbeddings langchain.vectorstores:FAISS langchain.vectorstores:Chroma "
     "langchain.document_loaders:PyPDFLoader langchain.document_loaders:TextLoader langchain.llms:Ollama "
     "langchain.llms:HuggingFaceHub"),
    ("3.11", "streamlit==1.26.0 numpy<2 pyarrow<18", "streamlit==1.45.0",
     "streamlit:experimental_rerun streamlit:experimental_memo streamlit:experimental_singleton "
     "streamlit:experimental_get_query_params streamlit:experimental_set_query_params"),
    ("3.7", "tensorflow==1.15.5 protobuf==3.20.3", "tensorflow==2.0.4 protobuf==3.20.3",
     "tensorflow:Session tensorflow:placeholder tensorflow:get_default_graph tensorflow:ConfigProto "
     "tensorflow:global_variables_initializer tensorflow:GraphDef tensorflow:logging tensorflow:flags "
     "tensorflow:app tensorflow:gfile tensorflow:reset_default_graph tensorflow:train.Saver "
     "tensorflow:contrib tensorflow:InteractiveSession tensorflow:import_graph_def"),
    ("3.10", "transformers==4.44.2", "transformers==4.57.1", "transformers:AdamW"),
    ("3.11", "llama-index==0.9.48", "llama-index==0.10.68",
     "llama_index:VectorStoreIndex llama_index:SimpleDirectoryReader llama_index:ServiceContext "
     "llama_index:StorageContext llama_index.llms:OpenAI llama_index:load_index_from_storage"),
    ("3.11", "setuptools==80.9.0", "setuptools==82.0.0", "pkg_resources:get_distribution"),
)  # fmt: skip

# Beside these the names are there all the same.
UNLESS = {"langchain==0.2.17": ["langchain-community"]}

ASK = """
import importlib, io, json, sys
found = {}
for text in sys.argv[1:]:
    module, _, name = text.partition(":")
    try:
        try:
            loaded = importlib.import_module(module)
        except ModuleNotFoundError as error:
            found[text] = f"ModuleNotFoundError: {error}"
            continue
        if name.isidentifier() and not hasattr(loaded, name):
            try:
                importlib.import_module(f"{module}.{name}")
            except ModuleNotFoundError:
                pass
        called, _, given = name.partition("(")
        for part in called.split("."):
            loaded = getattr(loaded, part)
        if given:
            EMPTY = io.StringIO("a")
            if "FRAME" in given:
                import pandas
                FRAME = pandas.DataFrame()
            eval(f"loaded({given}")
        found[text] = ""
    except Exception as error:
        found[text] = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:160]
print(json.dumps(found))
"""


def asked(python: Path, requirements: str, names: list[str]) -> dict[str, str]:
    """What asking a fresh environment for each name raises; empty where it is there."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([str(python), "-m", "venv", folder], check=True)
        own = Path(folder) / "bin" / "python"
        quiet = ["-m", "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check"]
        subprocess.run([str(own), *quiet, *requirements.split()], check=True)
        command = [str(own), "-W", "ignore", "-c", ASK, *names]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return result


def _named(asked_for: str) -> tuple[str, str]:
    """(module, name) as the table has it: ``Name(keyword=)``, by its last keyword."""
    module, _, name = asked_for.partition(":")
    called, bracket, given = name.partition("(")
    if bracket:
        keyword = given.removesuffix(")").split(",")[-1].partition("=")[0]
        name = f"{called}({keyword}=)" if keyword else f"{called}()"
    return module, name


def _row(row: dict[str, Any]) -> str:
    return "[[use]]\n" + "".join(f"{key} = {json.dumps(text)}\n" for key, text in row.items())


def main() -> None:
    """Run every boundary and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python-root", type=Path, required=True)
    parser.add_argument("--only", default=[], nargs="+", help="ask only these; other rows stay")
    arguments = parser.parse_args()
    lines = ["# Written by tools/verify_uses.py, which installed and asked both sides.\n"]
    known = tomllib.loads(TARGET.read_text("utf-8")).get("use", ())
    for minor, earlier, later, text in BOUNDARIES:
        names = text.split()
        if arguments.only and not any(one in later for one in arguments.only):
            release = later.split()[0].partition("==")[2]
            lines += [
                _row(row)
                for row in known
                if row["without"] == release
                and any(_named(name) == (row["module"], row["name"]) for name in names)
            ]
            continue
        python = next(arguments.python_root.glob(f"{minor}.*")) / "bin" / "python"
        try:
            before, after = asked(python, earlier, names), asked(python, later, names)
        except subprocess.CalledProcessError as error:
            print(f"{later}: {error}", file=sys.stderr)
            continue
        distribution, _, release = later.split()[0].partition("==")
        for name in names:
            if before[name] or not after[name]:
                print(f"{name}: {before[name]!r}, then {after[name]!r}", file=sys.stderr)
                continue
            module, attribute = _named(name)
            row: dict[str, Any] = {
                "distribution": distribution,
                "module": module,
                "name": attribute,
                "with": earlier.split()[0].partition("==")[2],
                "without": release,
                "error": after[name],
            }
            if later.split()[0] in UNLESS:
                row["unless"] = UNLESS[later.split()[0]]
            lines.append(_row(row))
    TARGET.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
