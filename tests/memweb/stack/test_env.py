from memweb.stack.env import PROJECT_FOLDER, Env


def test_env_example_names_every_setting_and_no_other() -> None:
    lines = (PROJECT_FOLDER / ".env.example").read_text().splitlines()
    named = [line[1:].split("=")[0] for line in lines if line.startswith("#") and "=" in line and line[1:2].isupper()]
    assert sorted(named) == sorted(name.upper() for name in Env.model_fields)


def test_env_example_shows_the_real_defaults() -> None:
    lines = (PROJECT_FOLDER / ".env.example").read_text().splitlines()
    shown = dict(line[1:].split("=", 1) for line in lines if line.startswith("#MEMWEB_") and not line.endswith("="))
    shown.pop("MEMWEB_HOME")  # depends on who looks
    defaults = Env.model_construct()
    for name, value in shown.items():
        field = Env.model_fields[name.lower()]
        assert str(getattr(defaults, name.lower(), field.default)).lower() == value.lower(), name
