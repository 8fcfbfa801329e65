"""What pyproject.toml cannot say: the wheel carries lessons/ as tinyllm_lessons, so that the course works anywhere."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["tinyllm*"]), "tinyllm_lessons"],
    package_dir={"tinyllm_lessons": "lessons"},
    package_data={
        "tinyllm": ["py.typed", "tokenizer/*.txt", "rag/evaluate/toy/*.json*", "client/data/*.json"],
        "tinyllm_lessons": ["*.md", "pages/*.md", "pages/figures/*.svg"],
    },
)
