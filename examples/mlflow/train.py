"""Trains a toy model with MLflow's automatic logging, and registers it.

Takes the URL of a server, http://HOST:PORT. Writes its data into the current folder, and prints the
id of the model, whose files are at the server.
"""

import pathlib
import sys

import mlflow
import numpy
import pandas
from sklearn.linear_model import LogisticRegression

DATA = pathlib.Path("customers.csv")


def main() -> None:
    """Makes the data, and trains on it."""
    values = numpy.random.default_rng(1).normal(size=(200, 3))
    customers = pandas.DataFrame(values, columns=["visits", "orders", "age"])
    customers["left"] = (customers.visits + customers.orders < 0).astype(int)
    customers.to_csv(DATA, index=False)

    mlflow.set_tracking_uri(sys.argv[1])
    mlflow.set_experiment("churn")
    mlflow.sklearn.autolog(registered_model_name="churn", log_datasets=False)
    with mlflow.start_run() as run:
        data = mlflow.data.from_pandas(customers, source=str(DATA.absolute()), name="customers")
        mlflow.log_input(data, context="training")
        LogisticRegression().fit(customers[["visits", "orders", "age"]], customers.left)

    client = mlflow.MlflowClient()
    newest = client.search_model_versions("name = 'churn'", max_results=1)[0]
    client.set_registered_model_alias("churn", "production", newest.version)
    print(client.get_run(run.info.run_id).outputs.model_outputs[0].model_id)


if __name__ == "__main__":
    main()
